"""Episodes: a row for each of them, with its return, its length, and what is wrong in it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from schemas.episodes import EPISODE_KEY, EPISODES_SCHEMA
from schemas.step import WIRE_COLUMNS
from validation.audits.episode_checks import EPISODE_CHECKS, check_episodes
from validation.audits.fingerprints import fingerprints
from validation.neighbours import Ordered, episode_numbers, order_steps, read_steps, unequal

__all__ = ["check_episodes", "episode_table"]

_NEEDED = tuple(column.name for column in WIRE_COLUMNS if column.name not in ("event_id", "info", "priority"))
_SUMS = (
    "missing_propensities",
    "gaps",
    "missing_steps",
    "wrong_next_observations",
    "bad_ends",
    "time_reversals",
    "repeated_observations",
)


def episode_table(steps: pa.Table | pl.DataFrame, spec: ArchiveSpec) -> pl.DataFrame:
    """Return the episodes of steps, in the columns of `EPISODES_SCHEMA` and the order of their key.

    Give all rows of the episodes concerned, in any order: wire columns, and those of the gate and the date
    where they are there. Rows without an episode are left out. Where several rows have one step, the one
    that came first counts: that with the least event_id, or else the earliest.
    """
    frame = read_steps(steps, _NEEDED)
    numbers = episode_numbers(frame)
    ordered = order_steps(frame, numbers)
    table = _by_rows(frame, numbers).join(_by_steps(frame, ordered, spec), on="episode", how="left")
    table = table.with_columns(pl.col("length", "missing_rewards", *_SUMS).fill_null(0))  # without a step
    numbered = pl.col("rows") - pl.col("unnumbered_rows")
    table = table.with_columns((numbered - pl.col("length")).alias("duplicate_steps"))
    table = table.with_columns(_complete().alias("complete"), _flags().alias("flags"))
    return _in_schema(table).sort(EPISODE_KEY)


def _by_rows(frame: pl.DataFrame, numbers: pl.Series) -> pl.DataFrame:
    """Sum up what every row of an episode counts for."""
    time = pl.col("event_time")
    gate = {
        "flagged_rows": (pl.col("flags").list.len() > 0).sum() if "flags" in frame.columns else pl.lit(0),
        "quality_score": pl.col("quality_score").cast(pl.Float64).mean()
        if "quality_score" in frame.columns
        else pl.lit(None, pl.Float64),
    }
    return (
        frame.with_columns(numbers.alias("episode"))
        .filter(pl.col("episode").is_not_null())
        .group_by("episode")
        .agg(
            *(pl.col(name).first() for name in EPISODE_KEY),
            pl.len().cast(pl.Int64).alias("rows"),
            pl.col("step").is_null().sum().alias("unnumbered_rows"),
            time.min().alias("started_at"),
            time.max().alias("ended_at"),
            pl.col("policy_version").drop_nulls().unique().sort().alias("policy_versions"),
            **gate,
        )
    )


def _by_steps(frame: pl.DataFrame, ordered: Ordered, spec: ArchiveSpec) -> pl.DataFrame:
    """Sum up what each step counts for once, and how it fits to its neighbours."""
    one = frame[ordered.rows]
    stays, follows = ordered.stays, ordered.follows
    ends = (one["terminated"].fill_null(False) | one["truncated"].fill_null(False)).to_numpy()
    observation, following = one["observation"], one["next_observation"]
    after = observation.shift(-1)
    held = following.is_not_null().to_numpy()
    wrong = follows & ~ends & held
    wrong[wrong] = unequal(following.filter(wrong), after.filter(wrong))
    repeated = follows.copy()
    repeated[follows] = ~unequal(observation.filter(follows), after.filter(follows))
    times = one["event_time"]
    reversed_ = stays & (times.shift(-1) < times).fill_null(False).to_numpy()
    absent = np.zeros(len(stays), np.int64)
    absent[:-1] = np.where(stays[:-1], np.diff(ordered.steps) - 1, 0)
    known_time = times.dt.strftime("%Y-%m-%d")
    date = one["date"].cast(pl.String) if "date" in one.columns else known_time
    reward = one["reward"].cast(pl.Float64)
    judged = pl.DataFrame(
        {
            "episode": ordered.episodes,
            "step": ordered.steps,
            "reward": reward,
            "missing_propensities": one["action_log_prob"].is_null(),
            "terminated": one["terminated"],
            "truncated": one["truncated"],
            "gaps": stays & ~follows,
            "missing_steps": absent,
            "wrong_next_observations": wrong,
            "bad_ends": ends & stays,
            "time_reversals": reversed_,
            "repeated_observations": repeated,
            "date": date,
            "fingerprint": fingerprints(one, ordered, spec),
        }
    )
    return judged.group_by("episode", maintain_order=True).agg(
        pl.len().alias("length"),
        pl.col("step").first().alias("first_step"),
        pl.col("step").last().alias("last_step"),
        pl.col("reward").sum().alias("episode_return"),
        pl.col("reward").is_null().sum().alias("missing_rewards"),
        pl.when(pl.col("terminated").last())
        .then(pl.lit("terminated"))
        .when(pl.col("truncated").last())
        .then(pl.lit("truncated"))
        .alias("ending"),
        pl.col(_SUMS).sum(),
        pl.col("date").first(),
        pl.col("fingerprint").first(),
    )


def _complete() -> pl.Expr:
    """Ask for an end, and for each step from 0 to it once."""
    nothing = ("gaps", "duplicate_steps", "unnumbered_rows", "bad_ends")
    return pl.all_horizontal(
        (pl.col("first_step") == 0).fill_null(False),
        pl.col("ending").is_not_null(),
        *(pl.col(name) == 0 for name in nothing),
    )


def _flags() -> pl.Expr:
    found = [pl.when(check.holds).then(pl.lit(check.name)) for check in EPISODE_CHECKS]
    return pl.concat_list(found).list.drop_nulls()


def _in_schema(table: pl.DataFrame) -> pl.DataFrame:
    wanted = pl.DataFrame(EPISODES_SCHEMA.empty_table()).schema
    return table.select(pl.col(name).cast(type_) for name, type_ in wanted.items())
