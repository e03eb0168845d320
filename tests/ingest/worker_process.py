"""Processes for the crash tests: one ingests until it is killed, one publishes as it is told to."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from ingest import EmbeddedStream, FlushPolicy, publish_lines
from lake import Lake
from replaylake import Publisher, ingest_follow
from tests.ingest.crash_steps import JSON_EVERY, json_lines, rows

SESSION_TIMEOUT = 2.0  # seconds: a worker that is frozen for longer is expelled
_FLUSH = FlushPolicy(rows=4_000, seconds=0.2)


def work(lake: Path, stream: Path) -> None:
    """Ingest forever, in small commits, telling of each on standard output."""
    with EmbeddedStream(stream, session_timeout=SESSION_TIMEOUT) as source:
        print("ready", flush=True)  # noqa: T201
        ingest_follow(
            Lake(lake),
            stream=source,
            stop=threading.Event(),
            flush=_FLUSH,
            on_progress=lambda report: print(report.accepted, flush=True),  # noqa: T201
        )


def publish(lake: Path, stream: Path, source: str) -> None:
    """Publish as many episodes as each line of standard input says, until it ends.

    Most go as Arrow messages, some as JSON lines.
    """
    archive = Lake(lake).archive("crash")
    episode = 0
    with EmbeddedStream(stream) as opened, Publisher(archive, stream=opened, run="", source=source) as out:
        for line in sys.stdin:
            for _ in range(int(line)):
                if episode % JSON_EVERY == 0:
                    publish_lines(json_lines(source, episode), opened, archive.spec.topic)
                else:
                    out.publish_table(rows(source, episode))
                episode += 1


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["work", lake, stream]:
            work(Path(lake), Path(stream))
        case ["publish", lake, stream, source]:
            publish(Path(lake), Path(stream), source)
        case wrong:
            sys.exit(f"used wrongly: {wrong}")
