"""Where each row of a snapshot goes, so that all lie in the order of their full key.

What is held in memory is a few numbers for each run of an episode in a row group, and some bits for each
row: never the rows themselves. So an archive of any size can be put in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.reading.keys import PLACE, overlapping
from lake.reading.source import Unit
from lake.reading.units import TIES, Scan, scan, singles
from schemas.step import ROW_ORDER

ParallelMap = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


class Marked:
    """Mark some of many rows, in an eighth of a byte each, and tell how many marked ones are before a row."""

    def __init__(self, rows: int) -> None:
        self._words = np.zeros(-(-rows // 64), dtype=np.uint64)
        self._before = np.zeros(len(self._words), dtype=np.int64)
        self.count = 0

    def add(self, rows: NDArray[np.int64]) -> None:
        """Mark rows; `seal` once all are marked."""
        bits = np.left_shift(np.uint64(1), (rows & 63).astype(np.uint64))
        np.bitwise_or.at(self._words, rows >> 6, bits)

    def seal(self) -> None:
        """Count the marked rows."""
        counts = np.bitwise_count(self._words).astype(np.int64)
        self._before[1:] = np.cumsum(counts)[:-1]
        self.count = int(counts.sum())

    def rank(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for each row how many of those before it are marked."""
        below = np.left_shift(np.uint64(1), (rows & 63).astype(np.uint64)) - np.uint64(1)
        words = rows >> 6
        found: NDArray[np.int64] = self._before[words] + np.bitwise_count(self._words[words] & below)
        return found


@dataclass(frozen=True, slots=True)
class Runs:
    """Hold where the runs of one row group go: `offset` counts its rows in the order of their key."""

    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    target: NDArray[np.int64]
    episode: NDArray[np.int64]


class RowOrder:
    """Hold the order of all rows of a snapshot."""

    def __init__(self, units: Sequence[Unit], parallel: ParallelMap, *, keep: bool) -> None:
        """Read the keys. `keep` holds four bytes for a row more, and saves reading the keys again."""
        self.units = list(units)
        self.rows = sum(unit.rows for unit in units)
        self._orders: dict[int, NDArray[np.uint32]] = {}
        self._unordered: set[int] = set()
        self._kept = keep
        self._linked: list[NDArray[np.uint8]] = []
        self._own: list[NDArray[np.uint8]] = []
        frames = []
        for number, scanned in enumerate(parallel(scan, self.units)):
            frames.append(self._noted(number, scanned))
        runs = _in_order(self._split(_in_order(pl.concat(frames))))
        runs = runs.with_columns((pl.col("length").cum_sum() - pl.col("length")).alias("target"))
        begins = _begins(runs)
        runs = runs.with_columns((begins.cast(pl.Int64).cum_sum() - 1).alias("episode"))
        self.episodes = runs.filter(begins).select(PLACE)
        self._link(runs, begins)
        self._runs = self._by_unit(runs)
        self.own = Marked(self.rows)
        for number in range(len(self.units)):
            marked = np.flatnonzero(self._bits(self._own, number))
            self.own.add(self._targets(number, marked))
        self.own.seal()

    def order(self, number: int) -> NDArray[np.uint32] | None:
        """Return the rows of a row group in the order of their key; None where they lie so."""
        if number not in self._unordered:
            return None
        return self._orders[number] if self._kept else scan(self.units[number]).order

    def runs(self, number: int) -> Runs:
        """Return where the runs of a row group go."""
        return self._runs[number]

    def linked(self, number: int) -> NDArray[np.bool_]:
        """Say of a row group's rows, in the order of their key, whether the agent's next turn is there."""
        return self._bits(self._linked, number)

    def own_next(self, number: int) -> NDArray[np.bool_]:
        """Say of a row group's rows, in the order of their key, whether they bring a next observation."""
        return self._bits(self._own, number)

    def _noted(self, number: int, scanned: Scan) -> pl.DataFrame:
        if scanned.order is not None:
            self._unordered.add(number)
            if self._kept:
                self._orders[number] = scanned.order
        self._linked.append(np.packbits(scanned.linked))
        self._own.append(np.packbits(scanned.own))
        return scanned.runs.with_columns(pl.lit(number, pl.Int64).alias("unit"))

    def _bits(self, held: list[NDArray[np.uint8]], number: int) -> NDArray[np.bool_]:
        return np.unpackbits(held[number], count=self.units[number].rows).view(np.bool_)

    def _split(self, runs: pl.DataFrame) -> pl.DataFrame:
        """Take episodes apart whose runs reach into each other, so that each row finds its own place."""
        doubtful = runs.filter(overlapping(runs) | runs["tied"]).select(PLACE).unique()
        if doubtful.is_empty():
            return runs.drop("tied")
        split = runs.join(doubtful, on=PLACE, how="semi", nulls_equal=True)
        parts = [runs.join(doubtful, on=PLACE, how="anti", nulls_equal=True, maintain_order="left")]
        for (number,), held in split.group_by("unit"):
            positions = _expanded(held["offset"].to_numpy(), held["length"].to_numpy())
            made = singles(self.units[number], self.order(number), positions)
            parts.append(made.with_columns(pl.lit(number, pl.Int64).alias("unit")))
        return pl.concat(parts, how="diagonal").drop("tied")

    def _link(self, runs: pl.DataFrame, begins: pl.Series) -> None:
        """Say of each run's last row whether the next run goes on with the agent's next turn."""
        goes_on = runs.select(
            (pl.col("step").shift(-1) == pl.col("last") + 1) & pl.col("episode_id").is_not_null()
        ).to_series()
        linked = (goes_on & ~begins.shift(-1)).fill_null(False)
        ends = runs.select("unit", pl.col("offset") + pl.col("length") - 1, linked.alias("linked"))
        for (number,), held in ends.group_by("unit"):
            bits = self._bits(self._linked, number)
            bits[held["offset"].to_numpy()] = held["linked"].to_numpy()
            self._linked[number] = np.packbits(bits)

    def _by_unit(self, runs: pl.DataFrame) -> list[Runs]:
        columns = ("offset", "length", "target", "episode")
        parts = runs.select("unit", *columns).sort("unit", "offset").partition_by("unit", maintain_order=True)
        return [Runs(*(part[name].to_numpy() for name in columns)) for part in parts]

    def _targets(self, number: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        runs = self._runs[number]
        place = np.searchsorted(runs.offset, positions, side="right") - 1
        return runs.target[place] + (positions - runs.offset[place])


def _in_order(runs: pl.DataFrame) -> pl.DataFrame:
    ties = [name for name in TIES if name in runs.columns]
    return runs.sort(*ROW_ORDER, *ties, nulls_last=False, maintain_order=True)


def _begins(runs: pl.DataFrame) -> pl.Series:
    """Say of runs in order whether an episode begins with them."""
    same = pl.lit(True)
    for name in PLACE:
        same &= pl.col(name).eq_missing(pl.col(name).shift(1))
    begins = runs.select((~same).alias("begins")).to_series()
    begins[0] = True
    return begins


def _expanded(start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all numbers of the ranges, in order of the ranges."""
    before = np.cumsum(length) - length
    return np.repeat(start - before, length) + np.arange(int(length.sum()))
