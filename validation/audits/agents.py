"""Agents of one environment (a source and an episode): in step with each other, and not mixed up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from schemas.episodes import EPISODE_KEY
from validation.audits.finding import Finding
from validation.audits.mixed_agents import ENVIRONMENT, mixed_rows
from validation.neighbours import Ordered, order_steps, read_steps

_AUDIT = "agents"
_EXAMPLES = 10
_NEEDED = (*EPISODE_KEY, "step", "observation", "next_observation", "reward", "terminated", "truncated")


def check_agents(steps: pa.Table | pl.DataFrame, spec: ArchiveSpec) -> list[Finding]:
    """Say where agents of one environment do not fit to each other.

    Give all rows of the environments concerned, in any order.
    """
    frame = _shared(read_steps(steps, _NEEDED))
    if not frame.height:
        return []
    ordered = order_steps(frame)
    agents = _agents(frame, ordered)
    return [
        *_left_behind(agents),
        *_unequal_ends(agents, spec),
        *(_unequal_rewards(frame, ordered) if spec.shared_reward else ()),
        *_mixed(frame, ordered, spec),
    ]


def _shared(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows of environments with several agents."""
    held = frame.filter(pl.col("episode_id").is_not_null() & pl.col("step").is_not_null())
    other = pl.col("agent_id") != pl.col("agent_id").first().over(ENVIRONMENT)
    shared = held.with_columns(other.alias(" other")).select(pl.col(" other").any().over(ENVIRONMENT))
    return held.filter(shared.to_series())


def _agents(frame: pl.DataFrame, ordered: Ordered) -> pl.DataFrame:
    """Return a row for each agent of each environment: its last step, and how it ended."""
    one = frame.select(*EPISODE_KEY, "step", "terminated", "truncated")[ordered.rows]
    last = (
        one.with_columns(pl.Series("number", ordered.episodes))
        .group_by("number", maintain_order=True)
        .agg(pl.col(name).last() for name in one.columns)
    )
    ending = pl.when("terminated").then(pl.lit("terminated")).when("truncated").then(pl.lit("truncated"))
    return last.select(
        *EPISODE_KEY,
        pl.col("step").alias("last_step"),
        ending.alias("ending"),
        pl.col("step").max().over(ENVIRONMENT).alias("environment_last_step"),
    )


def _left_behind(agents: pl.DataFrame) -> Iterator[Finding]:
    """Find agents whose steps stop without an end while others go on: by more than the turn of one."""
    behind = agents.filter(
        pl.col("ending").is_null() & (pl.col("last_step") < pl.col("environment_last_step") - 1)
    )
    if behind.height:
        said = "stop without an end while others of their environment go on"
        yield _finding("left_behind", "step", "warning", behind, agents, said)


def _unequal_ends(agents: pl.DataFrame, spec: ArchiveSpec) -> Iterator[Finding]:
    """Find agents that end otherwise than the others of their environment, at the same time.

    Where rewards are shared, all end alike. Elsewhere one may die as the time of the others runs out, and the
    newest step may not have come yet.
    """
    at_end = agents.filter(pl.col("last_step") >= pl.col("environment_last_step") - 1)
    ended = pl.col("ending").is_not_null().any().over(ENVIRONMENT)
    odd = pl.col("ending").is_null() & ended
    if spec.shared_reward:
        kinds = pl.col("ending").drop_nulls().n_unique().over(ENVIRONMENT)
        odd = odd | (pl.col("ending").is_not_null() & (kinds > 1))
    found = at_end.filter(odd)
    if found.height:
        severity = "warning" if spec.shared_reward else "info"
        said = "do not end as the others of their environment do"
        yield _finding("unequal_end", "terminated", severity, found, agents, said)


def _unequal_rewards(frame: pl.DataFrame, ordered: Ordered) -> Iterator[Finding]:
    """Find steps at which agents got different rewards, where they get one together."""
    one = frame.select(*EPISODE_KEY, "step", "reward")[ordered.rows]
    together = one.group_by(*ENVIRONMENT, "step").agg("agent_id", "reward")
    known = pl.col("reward").list.drop_nulls()
    unequal = together.filter(known.list.n_unique() > 1).sort(*ENVIRONMENT, "step")
    if unequal.height:
        yield Finding(
            _AUDIT,
            "unequal_reward",
            "reward",
            "critical",
            f"At {unequal.height:,} of {together.height:,} steps the shared reward is not one.",
            count=unequal.height,
            total=together.height,
            value=unequal.height / together.height,
            examples=unequal.head(_EXAMPLES).to_dicts(),
        )


def _mixed(frame: pl.DataFrame, ordered: Ordered, spec: ArchiveSpec) -> Iterator[Finding]:
    found = mixed_rows(frame, ordered, spec)
    if found.height:
        yield Finding(
            _AUDIT,
            "mixed_agents",
            "agent_id",
            "critical",
            f"{found.height:,} of {frame.height:,} rows go on where another agent left off.",
            count=found.height,
            total=frame.height,
            value=found.height / frame.height,
            examples=found.head(_EXAMPLES).to_dicts(),
        )


def _finding(
    check: str, column: str, severity: Any, found: pl.DataFrame, agents: pl.DataFrame, said: str
) -> Finding:
    return Finding(
        _AUDIT,
        check,
        column,
        severity,
        f"{found.height:,} of {agents.height:,} agents {said}.",
        count=found.height,
        total=agents.height,
        subject="episodes",
        examples=found.sort(EPISODE_KEY).head(_EXAMPLES).to_dicts(),
    )
