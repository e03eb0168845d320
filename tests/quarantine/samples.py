"""Archives with rows in quarantine, for the tests of replays."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ingest import EmbeddedStream
from lake import Archive, Lake
from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Topic
from tests.ingest.samples import NO_REWARD_OVER, SPEC, drain, make_archive, make_intake, make_stream, send

LENIENT = {"name": "lenient", "expectations": []}
Origin = tuple[int, int, int]  # partition, offset, row


def ingest(archive: Archive, stream: EmbeddedStream, topic: Topic, *records: dict[str, Any] | bytes) -> None:
    """Publish records and land them by the archive's suite."""
    send(stream, topic, *records)
    drain(stream, make_intake(archive, topic, archive.suite))


def quarantine(
    folder: Path,
    *records: dict[str, Any] | bytes,
    spec: ArchiveSpec = SPEC,
    suite: dict[str, Any] = NO_REWARD_OVER,
) -> Archive:
    """Return an archive into which records went by a suite that refuses rewards over 50."""
    archive = make_archive(folder, spec)
    archive.change_suite(suite)
    stream, topic = make_stream(folder, spec)
    with stream:
        ingest(archive, stream, topic, *records)
    return archive


def origins(archive: Archive, view: str, where: str = "true") -> Counter[Origin]:
    """Count the rows of a view by where they came from."""
    query = f"select stream_partition, stream_offset, stream_row from {archive.name}.{view} where {where}"
    return Counter(tuple(found) for found in rows_of(archive, query))


def rows_of(archive: Archive, query: str) -> list[tuple[Any, ...]]:
    """Run a query."""
    return Lake(archive.folder.parent).sql(query).rows()


def at(*offsets: int) -> Counter[Origin]:
    """Return the origins of whole messages of the first partition."""
    return Counter((0, offset, 0) for offset in offsets)
