"""Send the log to a topic, a line a message, as a shop would that runs: `python send.py TOPIC`.

The visitor is the key of a message, so that what one visitor did stays in order. The stream is the one of the
settings: in the lake's folder, or a Kafka with REPLAYLAKE_STREAM=kafka://localhost:9092.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from replaylake import Lake
from replaylake.flows.streams import opened_stream
from replaylake.settings import load_settings


def main() -> None:
    """Send every line."""
    (topic,) = sys.argv[1:]
    lines = Path("clicks.ndjson").read_bytes().splitlines()
    with opened_stream(Lake(load_settings().lake), None) as stream:
        stream.create_topic(topic, 2)
        producer = stream.producer()
        for line in lines:
            producer.send(topic, line, key=_visitor(line))
        producer.close()
    sys.stdout.write(f"Sent {len(lines):,} messages to {topic}.\n")


def _visitor(line: bytes) -> bytes | None:
    try:
        return str(json.loads(line)["visitor"]).encode()
    except ValueError:  # cut short: any partition will do
        return None


if __name__ == "__main__":
    main()
