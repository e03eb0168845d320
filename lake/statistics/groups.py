"""What is told of fragments and episodes: how many, by whom, and how they went over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl

from lake.statistics.partitions import Partition
from lake.statistics.ranges import period_of
from lake.statistics.results import By, Episodes, Group, Period, Spread
from lake.statistics.spreads import exact_spread, finite

_BY_PERIOD = ("rows", "flagged", "complete", "episode_return")  # as far as they are there
MOST_GROUPS = 50  # that are listed


def count_episodes(episodes: pl.DataFrame) -> Episodes:
    """Count episodes, and how they ended."""
    count, complete = episodes.height, int(episodes["complete"].sum())
    endings = episodes["ending"].fill_null("open")
    return Episodes(
        count,
        complete,
        count - complete,
        int((endings == "terminated").sum()),
        int((endings == "truncated").sum()),
        int((endings == "open").sum()),
        int(episodes["episode_return"].null_count()),
    )


def returns_of(episodes: pl.DataFrame, *, with_histogram: bool = True) -> Spread:
    """Describe returns; those of episodes whose return is not known are missing."""
    known = episodes["episode_return"].drop_nulls()
    values = known.filter(known.is_finite()).to_numpy()
    return exact_spread("return", values, episodes.height - len(values), with_histogram=with_histogram)


def lengths_of(episodes: pl.DataFrame, *, with_histogram: bool = True) -> Spread:
    """Describe lengths, in rows."""
    values = episodes["rows"].to_numpy().astype(np.float64)
    return exact_spread("length", values, with_histogram=with_histogram)


def by_column(fragments: pl.DataFrame, episodes: pl.DataFrame, column: str) -> tuple[tuple[Group, ...], int]:
    """Return who added most rows, most first, and how many there are in all."""
    rows = fragments.group_by(column).agg(pl.col("rows").sum())
    known = pl.col("episode_return").is_finite()
    begun = episodes.group_by(column).agg(
        pl.len().alias("episodes"), pl.col("episode_return").filter(known).mean().alias("mean_return")
    )
    found = rows.join(begun, on=column, how="left", nulls_equal=True)
    most = found.sort("rows", column, descending=[True, False]).head(MOST_GROUPS)
    return tuple(
        Group(name, count, held or 0, None if mean is None else finite(mean))
        for name, count, held, mean in most.select(column, "rows", "episodes", "mean_return").iter_rows()
    ), rows.height


def over_time(
    partitions: Sequence[Partition],
    fragments: pl.DataFrame,
    episodes: pl.DataFrame,
    by: By,
    shown: Literal["complete", "all"],
    *,
    with_bytes: bool,
) -> tuple[Period, ...]:
    """Describe each period in which something came, in their order."""
    periods = {part.date: period_of(part.date, by) for part in partitions}
    rows = _by_period(fragments, periods)
    begun = _by_period(episodes, periods)
    found = []
    for name in dict.fromkeys(periods.values()):
        parts = [part for part in partitions if periods[part.date] == name]
        held, started = rows.get(name), begun.get(name, episodes.clear())
        if held is None:
            continue
        counted = started.filter("complete") if shown == "complete" else started
        found.append(
            Period(
                name,
                parts[0].date,
                parts[-1].date,
                int(held["rows"].sum()),
                sum(part.size for part in parts) if with_bytes else None,
                int(held["flagged"].sum()),
                started.height,
                int(started["complete"].sum()),
                returns_of(counted, with_histogram=False),
                lengths_of(counted, with_histogram=False),
            )
        )
    return tuple(found)


def _by_period(frame: pl.DataFrame, periods: Mapping[str, str]) -> dict[str, pl.DataFrame]:
    needed = [name for name in _BY_PERIOD if name in frame.columns]
    named = frame.select("date", *needed).with_columns(pl.col("date").replace_strict(periods).alias("period"))
    return {str(key[0]): part for key, part in named.partition_by("period", as_dict=True).items()}
