"""A small archive for the worker's tests, and steps for it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ingest import EmbeddedStream, FlushPolicy, Intake, PollPolicy, Worker
from lake import Archive, ArchiveLanding, Lake
from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Landing, Stream, Topic
from schemas.spaces import Box, Discrete
from validation import Gate, Suite

SPEC = ArchiveSpec(name="demo", observation=Box(shape=(2,)), action=Discrete(n=2))
DAY = 1_780_012_800  # noon of a day in UTC, in epoch seconds
NO_REWARD_OVER = {
    "name": "no reward over the limit",
    "expectations": [
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "reward", "max_value": 50}}
    ],
}


def make_archive(folder: Path, spec: ArchiveSpec = SPEC) -> Archive:
    """Create a lake with one archive."""
    return Lake(folder / "lake").create(spec.name, spec=spec)


def make_stream(folder: Path, spec: ArchiveSpec = SPEC, partitions: int = 1) -> tuple[EmbeddedStream, Topic]:
    """Open an embedded stream with the archive's topic."""
    stream = EmbeddedStream(folder / "stream")
    return stream, stream.create_topic(spec.topic, partitions)


def step(number: int, **changes: Any) -> dict[str, Any]:
    """Return a good step as JSON values; its reward is its number."""
    record = {
        "episode_id": "e",
        "step": number,
        "observation": [0.5, 1.0],
        "action": number % 2,
        "reward": float(number),
        "terminated": False,
        "truncated": False,
        "event_time": DAY + number,
    }
    return record | changes


def send(stream: Stream, topic: Topic, *records: dict[str, Any] | bytes, partition: int = 0) -> None:
    """Publish each record as one message, durably."""
    producer = stream.producer()
    for record in records:
        value = record if isinstance(record, bytes) else json.dumps(record).encode()
        producer.send(topic.name, value, partition=partition)
    producer.close()


def make_intake(
    archive: Archive, topic: Topic, suite: dict[str, Any] | None = None, landing: Landing | None = None
) -> Intake:
    """Wire an intake, by another suite or landing than the archive's where one is given."""
    gate = Gate(archive.spec, None if suite is None else Suite.from_dict(suite))
    return Intake(topic, landing or ArchiveLanding(archive), gate)


def drain(
    stream: Stream, intake: Intake, flush: FlushPolicy | None = None, poll: PollPolicy | None = None
) -> Any:
    """Run a worker until everything that the stream holds has landed; return its report."""
    with Worker(stream, [intake], "test", flush=flush, poll=poll) as worker:
        return worker.run_to_end()


def landed(archive: Archive) -> Counter[float]:
    """Count the rewards of the steps table."""
    return _rewards(archive, "steps")


def quarantined(archive: Archive) -> Counter[float]:
    """Count the rewards of the quarantine table."""
    return _rewards(archive, "quarantine")


def _rewards(archive: Archive, view: str) -> Counter[float]:
    lake = Lake(archive.folder.parent)
    rows = lake.sql(f"select reward from {archive.name}.{view}").rows()
    return Counter(reward for (reward,) in rows)
