"""A log that may be written to: the columns of steps as arrays, and the rows of each episode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

Array = NDArray[Any]
Rng = np.random.Generator
_VECTORS = ("observation", "next_observation", "action", "action_mask")


class Log:
    """Hold the columns as arrays, by name: NaN stands for a null, vectors are matrices."""

    def __init__(self, table: pa.Table, others: Mapping[str, pa.Table] | None = None) -> None:
        """Read a table whose episodes stand together, their steps in order; `others` are logs beside it."""
        self.others = {name: Log(other) for name, other in (others or {}).items()}
        self._schema = table.schema
        frame = pl.DataFrame(table)
        self.columns: dict[str, Array] = {name: _array(frame[name]) for name in frame.columns}
        self.unknown_next = np.zeros(len(frame), np.bool_)  # rows whose next_observation becomes null

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["step"])

    @property
    def elements(self) -> int:
        """The number of elements of an observation."""
        return int(self["observation"].shape[1])

    def episodes(self) -> list[Array]:
        """Return the rows of each episode of each agent."""
        keys = [self[name] for name in ("source", "agent_id", "episode_id")]
        starts = np.flatnonzero(np.any([key[1:] != key[:-1] for key in keys], axis=0)) + 1
        return np.split(np.arange(len(self)), starts)

    def spread(self, element: int) -> float:
        """Return the standard deviation of an element of the observation."""
        return float(self["observation"][:, element].std())

    def take(self, rows: Array) -> None:
        """Keep these rows, in this order; one may come twice."""
        self.columns = {name: held[rows] for name, held in self.columns.items()}
        self.unknown_next = self.unknown_next[rows]

    def append(self, other: Log, rows: Array) -> None:
        """Add rows of another log."""
        for name, held in self.columns.items():
            self.columns[name] = np.concatenate([held, other[name][rows]])
        self.unknown_next = np.concatenate([self.unknown_next, other.unknown_next[rows]])

    def table(self) -> pa.Table:
        """Return the rows as a table of the types that were read."""
        arrays = []
        for field in self._schema:
            held = self.columns[field.name]
            if held.ndim == 2:
                mask = self.unknown_next if field.name == "next_observation" else None
                offsets = np.arange(len(held) + 1, dtype=np.int32) * held.shape[1]
                values = pa.array(held.reshape(-1), field.type.value_type)
                marked = None if mask is None or not mask.any() else pa.array(mask)
                arrays.append(pa.ListArray.from_arrays(offsets, values, type=field.type, mask=marked))
            else:
                arrays.append(pa.array(held, field.type, from_pandas=True))
        return pa.table(arrays, schema=self._schema)


def _array(column: pl.Series) -> Array:
    if column.name in _VECTORS and isinstance(column.dtype, pl.List) and not column.null_count():
        width = len(column[0])
        return np.array(column.explode().to_numpy().reshape(-1, width))
    if isinstance(column.dtype, pl.Datetime):
        return np.array(column.dt.replace_time_zone(None).to_numpy())
    return np.array(column.to_numpy())


@dataclass(frozen=True)
class Truth:
    """Tell what was done: which rows, and the names of columns of which a report has to give one."""

    rows: Array  # of the table that came out; where rows are gone, those beside the hole
    columns: frozenset[str]
    detail: str = ""


Damage = Callable[[Log, Rng, float], Truth]


@dataclass(frozen=True)
class Fault:
    """Describe a kind of fault, and do it to a table."""

    name: str
    says: str
    damage: Damage
    worlds: tuple[str, ...] = ("cartpole", "pendulum", "arena")

    def inject(
        self, table: pa.Table, rng: Rng, share: float = 0.05, others: Mapping[str, pa.Table] | None = None
    ) -> tuple[pa.Table, Truth]:
        """Return a copy of the table with the fault in this share of its rows or episodes.

        `others` are logs from which a fault may take rows, by name.
        """
        log = Log(table, others)
        truth = self.damage(log, rng, share)
        return log.table(), truth


def some_episodes(log: Log, rng: Rng, share: float, at_least: int = 4) -> list[Array]:
    """Choose a share of the episodes, of those that have a few steps."""
    episodes = log.episodes()
    number = max(1, round(share * len(episodes)))
    long = [rows for rows in episodes if len(rows) >= at_least]
    return [long[place] for place in sorted(rng.choice(len(long), number, replace=False))]


def some_rows(log: Log, rng: Rng, share: float, among: Array | None = None) -> Array:
    """Choose a share of all rows, among those that may be."""
    rows = np.arange(len(log)) if among is None else np.flatnonzero(among)
    return np.sort(rng.choice(rows, min(len(rows), max(1, round(share * len(log)))), replace=False))


def an_element(log: Log, rng: Rng) -> int:
    """Choose an element of the observation."""
    return int(rng.integers(log.elements))


def readings(log: Log, rows: Array, element: int) -> Array:
    """Return what a sensor read in an episode: before each step, and after the last one."""
    last = log["next_observation"][rows[-1:], element]
    return np.concatenate([log["observation"][rows, element], last])


def read_instead(log: Log, rows: Array, element: int, values: Array) -> None:
    """Put other readings into an episode: a sensor's fault is in the observation and in the next one."""
    log["observation"][rows, element] = values[:-1]
    log["next_observation"][rows, element] = values[1:]


def seen(*elements: int) -> frozenset[str]:
    """Name the columns in which a sensor's reading stands."""
    return frozenset(
        f"{column}[{element}]" for column in ("observation", "next_observation") for element in elements
    )


def joined(rows: list[Array]) -> Array:
    """Put the rows of several episodes together."""
    return np.concatenate(rows)


def starts(rows: list[Array], rng: Rng, low: float = 0.1, high: float = 0.5) -> Iterator[tuple[Array, int]]:
    """Choose in each episode a step from which on something is wrong: not the first, not the last."""
    for held in rows:
        yield held, int(np.clip(rng.uniform(low, high) * len(held), 1, len(held) - 2))
