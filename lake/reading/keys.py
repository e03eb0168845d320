"""The keys of rows as numbers, and the runs of episodes among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

PLACE = ("source", "agent_id", "episode_id")  # what the turns of one agent in one episode have in common


@dataclass(frozen=True, slots=True)
class Codes:
    values: NDArray[np.int32]  # (rows,): -1 where null
    texts: pl.Series

    @property
    def is_one(self) -> bool:
        """Whether all rows have the same text."""
        return len(self.texts) == 1 and not self.values.any()

    def ranks(self) -> NDArray[np.int64]:
        """Return numbers that are in the order of the texts, from 0 for null."""
        if not len(self.texts):
            return np.zeros(len(self.values), np.int64)
        ranks = np.zeros(len(self.texts) + 1, np.int64)  # the last stands for null
        ranks[self.texts.arg_sort().to_numpy()] = np.arange(1, len(self.texts) + 1)
        return ranks[self.values]

    def chosen(self, name: str, rows: NDArray[Any]) -> pl.Series:
        """Return the texts of some rows."""
        with_null = self.texts.extend_constant(None, 1)
        values = self.values[rows]
        return with_null.gather(np.where(values < 0, len(self.texts), values)).alias(name)


@dataclass(frozen=True, slots=True)
class Keys:
    codes: dict[str, Codes]
    step: NDArray[np.int64]  # 0 where null
    stepless: NDArray[np.bool_]

    @property
    def loose(self) -> NDArray[np.bool_]:
        """Say of each row whether it has no place in an episode."""
        found: NDArray[np.bool_] = self.stepless | (self.codes["episode_id"].values < 0)
        return found

    def begins(self, order: NDArray[Any] | None) -> NDArray[np.bool_]:
        """Say of each row in order whether another episode begins with it."""
        begins = np.zeros(len(self.step), dtype=bool)
        for held in self.codes.values():
            if held.is_one:
                continue
            values = held.values if order is None else held.values[order]
            begins[1:] |= values[1:] != values[:-1]
        begins[:1] = True
        return begins

    def runs(
        self, step: NDArray[np.int64], begins: NDArray[np.bool_], order: NDArray[Any] | None
    ) -> pl.DataFrame:
        """Return the runs of rows in order, as their steps and beginnings are."""
        offset = np.flatnonzero(begins)
        length = np.diff(offset, append=len(begins))
        first = offset if order is None else order[offset]
        return pl.DataFrame(
            [
                *(held.chosen(name, first) for name, held in self.codes.items()),
                pl.Series("step", step[offset]),
                pl.Series("last", step[offset + length - 1]),
                pl.Series("length", length),
                pl.Series("offset", offset),
            ]
        )


def codes_of(column: pa.ChunkedArray) -> Codes:
    array = column.combine_chunks()
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    values = np.asarray(array.indices.fill_null(-1)).astype(np.int32, copy=False)
    return Codes(values, pl.Series(array.dictionary.cast(pa.string())))


def steps_of(keys: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    column = keys["step"]
    return column.fill_null(0).to_numpy(), np.asarray(column.is_null())


def overlapping(runs: pl.DataFrame) -> pl.Series:
    """Say of runs in order whether the one before it, of the same episode, reaches into it."""
    same = pl.lit(True)
    for name in PLACE:
        same &= pl.col(name).eq_missing(pl.col(name).shift(1))
    return runs.select(
        (same & (pl.col("step") <= pl.col("last").shift(1))).fill_null(False).alias("overlaps")
    ).to_series()
