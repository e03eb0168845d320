"""Identities: agents that the reference does not know, and policy versions that come back again and again."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pyarrow as pa

from schemas.episodes import EPISODE_KEY
from validation.audits.finding import Finding
from validation.neighbours import read_steps

_MOST_AGENTS = 50  # of more, a new one is nothing new
_FEWEST = 5  # episodes of each agent of the reference
_LEAST = 3  # episodes, or returns
_CHANCE = 0.01  # of so many returns, after what the reference shows
_SHOWN = 5
_NEEDED = (*EPISODE_KEY, "event_time", "policy_version")


def check_identities(reference: pa.Table | pl.DataFrame, current: pa.Table | pl.DataFrame) -> list[Finding]:
    """Say which agents and policy versions are not where a reference has them.

    Checks are `new_agent`, where the reference has a few agents that were all there from its first half to
    its second, and `returning_version`: agents whose policy goes back and forth between versions, one of them
    perhaps a wrong label. A new version that stays, and one step back, are what deployments do.
    """
    known, held = _episodes(reference), _episodes(current)
    return [*_new_agents(known, held), *_returning_versions(known, held)]


def _episodes(steps: pa.Table | pl.DataFrame) -> pl.DataFrame:
    """Return a row for each episode, in the order of their beginnings."""
    frame = read_steps(steps, _NEEDED).select(_NEEDED)
    return (
        frame.filter(pl.col("episode_id").is_not_null())
        .group_by(EPISODE_KEY, maintain_order=True)
        .agg(
            pl.col("event_time").min().alias("started_at"),
            pl.col("policy_version").drop_nulls().first().alias("version"),
            pl.len().alias("rows"),
        )
        .sort("started_at", *EPISODE_KEY, maintain_order=True)
    )


def _new_agents(known: pl.DataFrame, held: pl.DataFrame) -> Iterator[Finding]:
    for column, key in (("source", ["source"]), ("agent_id", ["source", "agent_id"])):
        middle = pl.col("started_at").median()
        late = pl.col("started_at") > middle
        agents = (
            known.with_columns(late=late).group_by(key).agg(pl.len(), pl.col("late").sum().alias("later"))
        )
        closed = agents.filter(
            (pl.col("len") >= _FEWEST) & (pl.col("later") > 0) & (pl.col("later") < pl.col("len"))
        )
        if not 0 < closed.height == agents.height <= _MOST_AGENTS:
            return
        strangers = held.join(agents, on=key, how="anti", nulls_equal=True)
        if strangers.height >= _LEAST:
            names = strangers[column].unique(maintain_order=True).head(_SHOWN).to_list()
            yield Finding(
                "identities",
                "new_agent",
                column,
                "warning",
                f"{strangers.height:,} of {held.height:,} episodes have another {column} than the reference: "
                f"{', '.join(map(repr, names))}.",
                strangers.height,
                held.height,
                "episodes",
                examples=strangers.select(*EPISODE_KEY).head(_SHOWN).to_dicts(),
            )
            return  # of a new source every agent is new


def _returning_versions(known: pl.DataFrame, held: pl.DataFrame) -> Iterator[Finding]:
    before, now = _returns(known, known[:0]), _returns(held, known)
    agents = now.select("source", "agent_id").unique().height
    # One step back for each agent is a deployment that was undone.
    if now.height < _LEAST or now.height <= agents or not known.height:
        return
    from scipy.stats import betabinom  # heavy, and only needed here

    seen = before.height
    chance = float(betabinom.sf(now.height - 1, held.height, seen + 0.5, known.height - seen + 0.5))
    if chance > _CHANCE:
        return
    yield Finding(
        "identities",
        "returning_version",
        "policy_version",
        "warning",
        f"In {now.height:,} of {held.height:,} episodes an agent goes back to a policy version that it had "
        f"left; in the reference in {seen:,} of {known.height:,}.",
        now.height,
        held.height,
        "episodes",
        examples=now.select(*EPISODE_KEY, pl.col("version").alias("policy_version")).head(_SHOWN).to_dicts(),
    )


def _returns(episodes: pl.DataFrame, earlier: pl.DataFrame) -> pl.DataFrame:
    """Return the episodes whose version is another than the one before, and was there earlier."""
    agent = ("source", "agent_id")
    all_of_them = pl.concat([earlier, episodes]).with_columns(own=pl.int_range(pl.len()) >= earlier.height)
    versioned = all_of_them.filter(pl.col("version").is_not_null() & pl.col("started_at").is_not_null())
    changed = pl.col("version") != pl.col("version").shift().over(agent)
    again = ~pl.struct("version", *agent).is_first_distinct()
    return versioned.filter((changed & again).fill_null(False)).filter("own")
