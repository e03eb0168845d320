"""Lakes that hold somebody who is to be erased, in every place where rows can be."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lake import Archive, Lake, read_steps
from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Move
from tests.lake.archives import SPEC, append, refused_rows, row

WHO = "MARKER-agent"  # no other bytes of a lake read like this
EPISODE = "MARKER-episode"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
AGED = SPEC.model_copy(update={"hot_days": 7})
BY_AGENT = ArchiveSpec.from_json(AGED.to_json() | {"partition_by": ["agent_id"]})


def theirs(step: int, **changes: Any) -> dict[str, Any]:
    """Return a step of the one who is to be erased."""
    return row(step, agent_id=WHO, episode_id=EPISODE) | changes


def fill(archive: Archive) -> None:
    """Append steps of two agents, in one file and in several."""
    append(archive, *(theirs(step) for step in range(3)), *(row(step, agent_id="other") for step in range(3)))
    append(archive, *(theirs(step) for step in range(3, 5)))
    append(archive, *(row(step, agent_id="other") for step in range(3, 5)))


def refuse(archive: Archive) -> None:
    """Put rows into quarantine: of both, and bytes that did not decode, of both."""
    why = {"reasons": ["between(reward)"], "detail": "too much", "date": "2026-01-02", "ingested_at": NOW}
    place = {"stream_topic": "replaylake.demo", "stream_partition": 0, "stream_row": 0}
    kept = row(8, agent_id="other", source="default")
    rows = [
        theirs(9, source="default", stream_offset=1),
        kept | {"stream_offset": 2},
        {"raw": f'{{"agent_id": "{WHO}", "reward": '.encode(), "stream_offset": 3},
        {"raw": b'{"agent_id": "other", "reward": ', "stream_offset": 4},
        {"raw": b"\xff\xfe" + WHO.encode() + b"\x00", "stream_offset": 5},
    ]
    made = refused_rows(archive.spec, *(place | why | {"event_time": NOW} | one for one in rows))
    archive.table("quarantine").append(made, {"demo/t/0": Move(-1, 5)}, {})


def found(folder: Path, *besides: str) -> list[str]:
    """Name the files of a folder that have the marker in their name or in their bytes, packed or not."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if b"MARKER" in str(path.relative_to(folder)).encode() + _bytes(path)
    )


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        return b""
    held = path.read_bytes()
    if path.suffix == ".parquet":  # compressed
        with suppress(pa.ArrowInvalid):  # torn by a kill
            held += str(pq.ParquetFile(path).read().to_pylist()).encode()
    return held


def agents(lake: Lake) -> set[tuple[str, int]]:
    """Return who has steps, and how many."""
    return set(Counter(read_steps(lake.archive("demo"))["agent_id"].to_pylist()).items())
