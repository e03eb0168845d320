"""Steps of small made-up episodes, for the tests of audits that look at whole episodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Dict, Discrete
from schemas.step import DATE_FIELD, GATE_FIELDS, wire_schema

START = datetime(2026, 1, 31, 23, 59, 50, tzinfo=UTC)
VECTORS = ArchiveSpec(name="vectors", observation=Box(shape=(2,)), action=Discrete(n=2))
IMAGES = ArchiveSpec(
    name="images",
    observation=Dict(spaces={"camera": Box(shape=(2,), dtype="uint8"), "speed": Box(shape=(1,))}),
    action=Discrete(n=2),
)


def steps_of(spec: ArchiveSpec, rows: Iterable[Mapping[str, Any]], *, landed: bool = False) -> pa.Table:
    """Put rows into a table with the wire columns, and those of the gate and the date where they landed."""
    common = {
        "source": "s",
        "agent_id": "a",
        "action": 0,
        "terminated": False,
        "truncated": False,
        "priority": 1.0,
    }
    fields = [*wire_schema(spec), *([*GATE_FIELDS, DATE_FIELD] if landed else [])]
    return pa.Table.from_pylist([{**common, **row} for row in rows], schema=pa.schema(fields))


def episode(length: int, **changes: Any) -> list[dict[str, Any]]:
    """Return a clean episode of vectors, some columns of it changed by lists or for all rows."""
    rows: list[dict[str, Any]] = [
        {
            "episode_id": "e",
            "step": step,
            "observation": [float(step), 1.0],
            "reward": 1.0,
            "next_observation": [float(step + 1), 1.0],
            "terminated": step == length - 1,
            "event_time": START + timedelta(seconds=step),
        }
        for step in range(length)
    ]
    for name, value in changes.items():
        for place, row in enumerate(rows):
            row[name] = value[place] if isinstance(value, list) else value
    return rows
