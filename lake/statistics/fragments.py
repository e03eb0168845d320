"""Fragments: what is known of the rows of one episode, on one date, under one policy; and whole episodes.

All of it are sums, counts and bounds, so fragments are put together in any order.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from schemas.episodes import EPISODE_KEY

COLUMNS = (
    *EPISODE_KEY,
    "step",
    "reward",
    "terminated",
    "truncated",
    "policy_version",
    "event_time",
    "flags",
)
_GROUP = (*EPISODE_KEY, "policy_version")
_SUMS = (
    "rows",
    "numbered",
    "step_sum",
    "step_squares",
    "reward_sum",
    "rewards",
    "rewards_missing",
    "rewards_not_finite",
    "flagged",
)
_LEAST = ("first_step", "first_end", "first_time")
_GREATEST = ("last_step", "last_terminated", "last_truncated", "last_time")


# What is told of rows, and of whole episodes.
ROW_COLUMNS = (*_GROUP, "date", "rows", "flagged", "first_time", "last_time")
_EPISODE_COLUMNS = (*_GROUP, "mixed", "date", "rows", "complete", "ending", "episode_return")


def fragments_of(rows: pa.Table) -> pl.DataFrame:
    """Sum up rows; those without an episode are summed up under none."""
    frame = pl.DataFrame(rows.select(list(COLUMNS)))
    step, reward = pl.col("step"), pl.col("reward")
    terminated, truncated = pl.col("terminated").fill_null(False), pl.col("truncated").fill_null(False)
    finite = reward.is_finite().fill_null(False)
    prepared = frame.select(
        *_GROUP,
        step,
        (step * step).alias("square"),  # which may wrap around, as its sum may
        pl.when(finite).then(reward).alias("finite"),
        reward.is_null().alias("missing"),
        (~finite & reward.is_not_null()).alias("strange"),
        pl.when(terminated).then(step).alias("terminated_step"),
        pl.when(truncated).then(step).alias("truncated_step"),
        pl.when(terminated | truncated).then(step).alias("end_step"),
        "event_time",
        (pl.col("flags").list.len() > 0).fill_null(False).alias("flagged"),
    )
    return prepared.group_by(_GROUP).agg(
        pl.len().cast(pl.Int64).alias("rows"),
        pl.col("step").count().cast(pl.Int64).alias("numbered"),
        pl.col("step").sum().alias("step_sum"),
        pl.col("square").sum().alias("step_squares"),
        pl.col("finite").sum().alias("reward_sum"),
        pl.col("finite").count().cast(pl.Int64).alias("rewards"),
        pl.col("missing").sum().cast(pl.Int64).alias("rewards_missing"),
        pl.col("strange").sum().cast(pl.Int64).alias("rewards_not_finite"),
        pl.col("flagged").sum().cast(pl.Int64),
        pl.col("step").min().alias("first_step"),
        pl.col("end_step").min().alias("first_end"),
        pl.col("event_time").min().alias("first_time"),
        pl.col("step").max().alias("last_step"),
        pl.col("terminated_step").max().alias("last_terminated"),
        pl.col("truncated_step").max().alias("last_truncated"),
        pl.col("event_time").max().alias("last_time"),
    )


def joined_fragments(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Put together the fragments of parts of one date."""
    return pl.concat(list(parts)).group_by(_GROUP).agg(*_sums())


def no_fragments() -> pl.DataFrame:
    """Return no fragment at all, with all the columns and the date."""
    kinds: dict[str, Any] = {
        **dict.fromkeys((*_GROUP, "date"), pl.String),
        **dict.fromkeys((*_SUMS, *_LEAST, *_GREATEST), pl.Int64),
        "reward_sum": pl.Float64,
        "first_time": pl.Datetime("us", "UTC"),
        "last_time": pl.Datetime("us", "UTC"),
    }
    names = (*_GROUP, *_SUMS, *_LEAST, *_GREATEST, "date")
    return pl.DataFrame(schema={name: kinds[name] for name in names})


def whole_episodes(fragments: pl.DataFrame) -> pl.DataFrame:
    """Put fragments of several dates together to a row for each episode, which is of its first step's date.

    Where several policies acted, `policy_version` is null and `mixed` true.
    """
    told = (
        fragments.lazy().filter(pl.col("episode_id").is_not_null()).drop("first_time", "last_time").collect()
    )
    several = told.select(EPISODE_KEY).is_duplicated()
    one = told.filter(~several).with_columns(pl.lit(False).alias("mixed"))
    episodes = pl.concat([one, _joined_episodes(told.filter(several))], how="diagonal")
    ended = pl.col("first_end") == pl.col("last_step")
    terminated = pl.col("last_terminated") == pl.col("last_step")
    truncated = pl.col("last_truncated") == pl.col("last_step")
    regular = pl.Series("regular", _is_regular(episodes))
    return episodes.with_columns(
        (ended.fill_null(False) & regular).alias("complete"),
        pl.when(terminated.fill_null(False))
        .then(pl.lit("terminated"))
        .when(truncated.fill_null(False))
        .then(pl.lit("truncated"))
        .alias("ending"),
        pl.when((pl.col("rewards") > 0) & (pl.col("rewards_not_finite") == 0))
        .then("reward_sum")
        .alias("episode_return"),
    ).select(_EPISODE_COLUMNS)


def _joined_episodes(told: pl.DataFrame) -> pl.DataFrame:
    """Put together episodes that are in several parts."""
    # Sorted, so that the first date of each episode is that of its first step.
    ordered = told.sort("first_step", "date", nulls_last=True)
    policy = pl.col("policy_version")
    different = (policy.min() != policy.max()).fill_null(False)
    partly_known = policy.null_count().is_between(1, pl.len() - 1)
    return (
        ordered.group_by(EPISODE_KEY, maintain_order=True)
        .agg(
            *_sums(times=False),
            pl.col("date").first(),
            policy.min(),
            (different | partly_known).alias("mixed"),
        )
        .with_columns(pl.when(~pl.col("mixed")).then("policy_version").alias("policy_version"))
    )


def fragments_to_bytes(fragments: pl.DataFrame) -> bytes:
    """Write fragments, to be kept."""
    buffer = io.BytesIO()
    fragments.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()


def fragments_from_bytes(data: bytes) -> pl.DataFrame:
    """Read what `fragments_to_bytes` gave."""
    return pl.read_ipc(io.BytesIO(data))


def _sums(*, times: bool = True) -> list[pl.Expr]:
    found = [
        *(pl.col(name).sum() for name in _SUMS),
        *(pl.col(name).min() for name in _LEAST),
        *(pl.col(name).max() for name in _GREATEST),
    ]
    return [one for one in found if times or not one.meta.output_name().endswith("_time")]


def _is_regular(episodes: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Say of which episodes each step from 0 to the last is there, once.

    As many steps as these, with the same sum and the same sum of squares, are these: others that agree in
    all three have three steps twice or more and lack as many, at places that nothing but chance can fit.
    """
    rows, numbered, last = (
        episodes[name].fill_null(-1).to_numpy() for name in ("rows", "numbered", "last_step")
    )
    first = episodes["first_step"].fill_null(-1).to_numpy()
    found = (first == 0) & (rows == numbered) & (last == rows - 1)
    n = np.where(found, last, 0).astype(np.uint64)
    # The sums of 0 to n, as they wrap around at 64 bits: so what divides them is taken out before.
    even = n % 2 == 0
    one, two = np.where(even, n // 2, n), np.where(even, n + 1, (n + 1) // 2)
    three = 2 * n + 1
    steps = one * two
    squares = np.where(
        one % 3 == 0,
        one // 3 * two * three,
        np.where(two % 3 == 0, one * (two // 3) * three, one * two * (three // 3)),
    )
    matching: npt.NDArray[np.bool_] = (
        found
        & (episodes["step_sum"].to_numpy().view(np.uint64) == steps)
        & (episodes["step_squares"].to_numpy().view(np.uint64) == squares)
    )
    return matching
