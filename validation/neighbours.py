"""Neighbours: the order of steps in their episodes, whatever the order of their rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.episodes import EPISODE_KEY
from schemas.errors import StepsError

# What decides between rows of one step: the one that an outside id, the clock or the stream has first.
_TIES = ("event_id", "event_time", "stream_partition", "stream_offset", "stream_row", "reward")
_ROW = " row"  # which is the name of no column


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """Hold one row for each step, by episode and step. Arrays of one length; an episode is one agent's.

    Rows without an episode or a step are not here, nor are the further rows of a step that several have.
    """

    rows: NDArray[np.int64]  # where each row stands in the table
    episodes: NDArray[np.int64]  # the number of its episode: that of the first row that is of it
    steps: NDArray[np.int64]
    again: NDArray[np.int64]  # where rows stand whose step another row has

    @property
    def stays(self) -> NDArray[np.bool_]:
        """Say which steps have a later one in their episode, which is then the next here."""
        stays = np.zeros(len(self.rows), np.bool_)
        stays[:-1] = self.episodes[1:] == self.episodes[:-1]
        return stays

    @property
    def follows(self) -> NDArray[np.bool_]:
        """Say of which steps the next here is the very next turn."""
        follows = self.stays
        follows[:-1] &= self.steps[1:] - 1 == self.steps[:-1]
        return follows


def read_steps(steps: pa.Table | pl.DataFrame, needed: Iterable[str]) -> pl.DataFrame:
    """Return steps of either kind as Polars rows; raise StepsError where a needed column is missing."""
    frame = steps if isinstance(steps, pl.DataFrame) else pl.from_arrow(steps)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 (it is a Series only for an array)
    for column in needed:
        if column not in frame.columns:
            raise StepsError(
                f"The steps have no column {column!r}.", column=column, hint="See schemas.wire_schema."
            )
    coded = [name for name, type_ in frame.schema.items() if isinstance(type_, pl.Categorical | pl.Enum)]
    return frame.with_columns(pl.col(coded).cast(pl.String)) if coded else frame


def episode_numbers(frame: pl.DataFrame) -> pl.Series:
    """Number the rows' episodes, by the columns of the key that are there; null where there is none."""
    keys = [name for name in EPISODE_KEY if name in frame.columns]
    held = frame.select(keys).with_columns(pl.Series(_ROW, np.arange(frame.height)))
    numbers = pl.when(pl.col("episode_id").is_not_null()).then(pl.col(_ROW).first().over(keys))
    return held.select(numbers).to_series()


def order_steps(frame: pl.DataFrame, numbers: pl.Series | None = None) -> Ordered:
    """Order rows that have `episode_id` and `step`, and whatever else of the key."""
    numbers = episode_numbers(frame) if numbers is None else numbers
    held = pl.DataFrame(
        {
            "row": np.arange(frame.height),
            "episode": numbers,
            "step": frame["step"].cast(pl.Int64),
        }
    ).filter(pl.col("episode").is_not_null() & pl.col("step").is_not_null())
    held = held.sort("episode", "step", maintain_order=True)
    repeats = _repeats(held)
    if repeats.any():
        ties = [name for name in _TIES if name in frame.columns]
        held = held.with_columns(frame.select(ties)[held["row"]])
        held = held.sort("episode", "step", *ties, maintain_order=True)
    once = held.filter(pl.Series(~repeats))
    return Ordered(
        once["row"].to_numpy(),
        once["episode"].to_numpy(),
        once["step"].to_numpy(),
        held["row"].to_numpy()[repeats],
    )


def unequal(left: pl.Series, right: pl.Series) -> NDArray[np.bool_]:
    """Say where two columns differ; NaN is NaN, and a null inside is a null."""
    return (~left.eq_missing(right)).to_numpy()


def _repeats(held: pl.DataFrame) -> NDArray[np.bool_]:
    """Say which rows have the step of the row before them."""
    episodes, steps = held["episode"].to_numpy(), held["step"].to_numpy()
    repeats = np.zeros(held.height, np.bool_)
    repeats[1:] = (episodes[1:] == episodes[:-1]) & (steps[1:] == steps[:-1])
    return repeats
