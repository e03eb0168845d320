"""Events of a small made-up log, as a mapping would hand them over, and the archive they go to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ingest.records import Mapped
from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete
from schemas.step import TIMESTAMP

ARCHIVE = ArchiveSpec(name="shop", observation=Box(shape=(2,)), action=Discrete(n=3))
START = 1_780_012_800_000_000  # the first second of a day in UTC, in microseconds
SECOND = 1_000_000

SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("user", pa.string()),
        ("source", pa.string()),
        ("event_time", TIMESTAMP),
        ("event_id", pa.string()),
        ("impression", pa.string()),
        ("order", pa.string()),
        ("reward", pa.float64()),
        ("observation", pa.list_(pa.float32())),
        ("action", pa.int64()),
        ("next_observation", pa.list_(pa.float32())),
        ("terminated", pa.bool_()),
        ("truncated", pa.bool_()),
        ("action_probability", pa.float64()),
        ("info", pa.string()),
    ]
)


@dataclass(frozen=True)
class Line:
    """One event of the log; `at` is in seconds after START."""

    kind: str | None
    user: str | None
    at: float | None
    event_id: str | None = None
    impression: str | None = None
    order: str | None = None
    reward: float | None = None
    observation: tuple[float, ...] | None = None
    action: int | None = None
    next_observation: tuple[float, ...] | None = None
    terminated: bool | None = None
    truncated: bool | None = None
    action_probability: float | None = None
    info: str | None = None
    source: str | None = None

    @property
    def time(self) -> int | None:
        """When it happened, in microseconds."""
        return None if self.at is None else START + round(self.at * SECOND)

    @property
    def raw(self) -> bytes:
        """The line as it stood in the log."""
        return json.dumps(asdict(self)).encode()


def step(user: str, at: float, **rest: Any) -> Line:
    """Return a step that looks different at any other time."""
    return Line("view", user, at, **{"observation": (at, 1.0), "action": 1, **rest})


def end(user: str, at: float, kind: str = "logout", **rest: Any) -> Line:
    """Return the end of a session."""
    return Line(kind, user, at, **rest)


def click(impression: str, at: float, reward: float = 1.0, **rest: Any) -> Line:
    """Return a reward for the step of an impression."""
    return Line("click", None, at, impression=impression, reward=reward, **rest)


def mapped(lines: Sequence[Line], without: Sequence[str] = ()) -> Mapped:
    """Return lines as a mapping would: one row each, none refused, some columns not made."""
    rows = []
    for line in lines:
        row = {**asdict(line), "event_time": line.time}
        del row["at"]
        rows.append(row)
    table = pa.Table.from_pylist(rows, schema=SCHEMA).drop_columns(list(without))
    return Mapped(table, np.arange(len(lines)), (), raw=lambda index: lines[index].raw)
