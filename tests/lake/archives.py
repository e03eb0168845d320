"""Small archives and steps for the tests of the lake."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from lake import Archive, Lake
from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete
from schemas.step import quarantine_schema, steps_schema
from schemas.steps import Steps

SPEC = ArchiveSpec(name="demo", observation=Box(shape=(1,)), action=Discrete(n=2))
SUITE = {"name": "mine", "expectations": []}
DAY = datetime(2026, 1, 1, 12, tzinfo=UTC)


def make(folder: Path, spec: ArchiveSpec = SPEC) -> tuple[Lake, Archive]:
    """Create a lake with one archive."""
    lake = Lake(folder / "lake")
    return lake, lake.create(spec.name, spec=spec)


def row(step: int, **changes: Any) -> dict[str, Any]:
    """Return a good step; its observation and its reward are its number."""
    return {
        "episode_id": "e",
        "step": step,
        "observation": [float(step)],
        "action": step % 2,
        "reward": float(step),
        "terminated": False,
        "truncated": False,
        "event_time": DAY,
    } | changes


def append(archive: Archive, *rows: dict[str, Any]) -> int:
    """Append rows without a gate."""
    return archive.append(Steps.from_rows(rows, archive.spec))


def landed_rows(spec: ArchiveSpec, count: int, **changes: Any) -> pa.Table:
    """Make rows with every column of the steps table."""
    made = [row(number, source="s", agent_id="a", priority=1.0, date="2026-01-01") for number in range(count)]
    return pa.Table.from_pylist([held | changes for held in made], schema=steps_schema(spec))


def refused_rows(spec: ArchiveSpec, *rows: dict[str, Any]) -> pa.Table:
    """Make rows of the quarantine table."""
    return pa.Table.from_pylist(list(rows), schema=quarantine_schema(spec))


def numbers(lake: Lake, query: str) -> list[Any]:
    """Run a query of one column."""
    return [value for (value,) in lake.sql(query).rows()]
