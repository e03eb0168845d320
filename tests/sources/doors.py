"""What is published, as the worker would decode it, without a worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ingest import FilePublisher, Ledger, MemoryStream, PublishReport, SourceOptions
from ingest.mapping import RecordMapping
from schemas.archive_spec import ArchiveSpec
from schemas.decode import Decoded, decode
from schemas.protocols import Message, Stream
from schemas.spaces import Box, Discrete

SPEC = ArchiveSpec(name="clicks", observation=Box(shape=(2,)), action=Discrete(n=3))
COLUMNS: dict[str, Any] = {
    "agent_id": "user",
    "observation": ["x", "y"],
    "action": "choice",
    "reward": "gain",
    "event_time": {"field": "at", "time": "epoch_s"},
    "terminated": {"const": False},
    "truncated": {"const": False},
}
START = 1_780_000_000


def mapping(**source: Any) -> RecordMapping:
    """Return the mapping of the tests' records."""
    return RecordMapping.from_dict({"source": source, "columns": COLUMNS})


def record(number: int, **changes: Any) -> dict[str, Any]:
    """Return a good record."""
    made = {
        "user": f"u{number % 5}",
        "x": number / 4,
        "y": -number / 8,
        "choice": number % 3,
        "gain": float(number),
        "at": START + number,
    }
    return made | changes


def csv_of(count: int, first: int = 0) -> bytes:
    """Return a table of good records."""
    rows = [record(number) for number in range(first, first + count)]
    lines = [",".join(map(str, row.values())) for row in rows]
    return "".join(f"{line}\n" for line in [",".join(record(0)), *lines]).encode()


def publish(
    stream: Stream,
    *files: Path | str,
    ledger: Path | None = None,
    mapped: RecordMapping | None = None,
    options: SourceOptions | None = None,
    again: bool = False,
    on_progress: Callable[[PublishReport], None] = lambda report: None,
    **limits: Any,
) -> PublishReport:
    """Publish files to the archive's topic."""
    topic = stream.create_topic(SPEC.topic, 2)
    with FilePublisher(
        stream,
        topic,
        SPEC,
        Ledger(ledger, topic.id),
        mapping=mapped,
        options=options,
        again=again,
        on_progress=on_progress,
        **limits,
    ) as publisher:
        return publisher.publish([str(file) for file in files])


def messages_of(stream: Stream, topic: str = SPEC.topic) -> list[Message]:
    """Return all messages of a topic, by partition and offset."""
    consumer = stream.consumer([topic], "reader of the tests")
    consumer.poll(1, 1, 0)
    for partition in consumer.assignment:
        consumer.seek(partition, 0)
    found: list[Message] = []
    while got := consumer.poll(1_000_000, 1 << 30, 0):
        found += got
    consumer.close()
    return sorted(found, key=lambda message: message[1:3])


def decoded(stream: Stream) -> Decoded:
    """Decode what was published."""
    return decode(messages_of(stream), SPEC, "topic")


def landing(stream: Stream) -> dict[str, dict[str, Any]]:
    """Return the rows that would land, by id: of those with one id and one content, one does."""
    rows: dict[str, dict[str, Any]] = {}
    for row in decoded(stream).table.to_pylist():
        known = rows.setdefault(row["event_id"], row)
        assert known == row
    return rows


def gains(stream: Stream) -> list[float]:
    """Return the rewards of the rows that would land, sorted."""
    return sorted(row["reward"] for row in landing(stream).values())


def faults(stream: Stream) -> Counter[tuple[bytes, str]]:
    """Count what was refused, by its bytes and reason."""
    return Counter((fault.raw, fault.reason) for fault in decoded(stream).faults)


def lines_of(*files: Path | str, options: SourceOptions | None = None) -> list[bytes]:
    """Return the lines that are sent of files as they are."""
    stream = MemoryStream()
    stream.create_topic(SPEC.topic, 1)
    publish(stream, *files, options=options)
    return [line for message in messages_of(stream) for line in message.value.split(b"\n")]


def numbers(count: int) -> list[float]:
    """Return the rewards of so many records."""
    return np.arange(count, dtype=float).tolist()
