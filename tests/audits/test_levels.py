"""Levels and identities: episodes that begin, move or are named otherwise than those of a reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete
from validation.audits.finding import Finding
from validation.audits.identities import check_identities
from validation.audits.levels import check_levels

_SPEC = ArchiveSpec(name="walks", observation=Box(shape=(2,)), action=Discrete(n=2))
_STEPS = 40


def _walks(seed: int, episodes: int = 60, offset: float = 0.0, every: int = 10) -> pl.DataFrame:
    """Make random walks from near 0, some of them off by an amount throughout."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number in range(episodes):
        walk = np.cumsum(rng.normal(0, 0.1, (_STEPS, 2)), axis=0)
        walk[:, 1] += offset if number % every == 0 else 0.0
        rows += [
            {
                "source": "lab",
                "agent_id": f"walker-{number % 3}",
                "episode_id": f"{seed}-{number}",
                "step": step,
                "observation": walk[step].tolist(),
                "action": 0,
                "reward": 1.0,
                "policy_version": "v1",
                "event_time": 1_000_000 * (number * 100 + step),
            }
            for step in range(_STEPS)
        ]
    times = pl.col("event_time").cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(rows).with_columns(times, pl.col("observation").cast(pl.List(pl.Float32)))


def _levels(current: pl.DataFrame, reference: pl.DataFrame) -> dict[tuple[str, str | None], Finding]:
    return {(found.check, found.column): found for found in check_levels(reference, current, _SPEC)}


def _in_tenth(changed: pl.Expr, others: pl.Expr) -> pl.Expr:
    """Change every tenth episode."""
    number = pl.col("episode_id").str.split("-").list.get(1).cast(pl.Int64)
    return pl.when(number % 10 == 0).then(changed).otherwise(others)


@pytest.mark.parametrize("seed", range(1, 11))
def test_nothing_is_said_of_episodes_like_the_reference(seed: int) -> None:
    assert not check_levels(_walks(0), _walks(seed), _SPEC)
    assert not check_identities(_walks(0), _walks(seed))


def test_a_bias_in_whole_episodes_is_found_where_they_begin_and_in_their_means() -> None:
    found = _levels(_walks(1, offset=4.0), _walks(0))
    assert set(found) == {("start", "observation[1]"), ("mean", "observation[1]")}
    assert {finding.count for finding in found.values()} == {6}
    assert found["start", "observation[1]"].examples[0]["value"] == pytest.approx(4, abs=0.5)


def test_what_is_constant_in_the_reference_may_not_be_another_number() -> None:
    doubled = _walks(1).with_columns(reward=_in_tenth(pl.lit(2.0), pl.lit(1.0)))
    assert set(_levels(doubled, _walks(0))) == {("mean", "reward")}


def test_two_episodes_and_small_references_say_nothing() -> None:
    assert not _levels(_walks(1, offset=4.0, every=30), _walks(0))
    assert not _levels(_walks(1, offset=4.0), _walks(0, episodes=20))
    assert not _levels(_walks(1)[:0], _walks(0))
    assert not _levels(_walks(1), _walks(0)[:0])


def test_the_order_of_rows_does_not_matter() -> None:
    current, reference = _walks(1, offset=4.0), _walks(0)
    shuffled = current.sample(fraction=1.0, shuffle=True, seed=3)
    assert set(_levels(shuffled, reference)) == set(_levels(current, reference))


def test_an_agent_that_the_reference_does_not_know_is_told() -> None:
    strange = _walks(1).with_columns(agent_id=_in_tenth(pl.lit("default"), pl.col("agent_id")))
    (found,) = check_identities(_walks(0), strange)
    assert (found.check, found.column, found.count) == ("new_agent", "agent_id", 6)
    (found,) = check_identities(_walks(0), _walks(1).with_columns(source=pl.lit("elsewhere")))
    assert (found.check, found.column, found.count) == ("new_agent", "source", 60)


def test_where_agents_come_and_go_a_new_one_is_nothing_new() -> None:
    fleet = _walks(0).with_columns(agent_id=pl.col("episode_id"))
    assert not check_identities(fleet, _walks(1))


def test_versions_that_come_back_are_told_and_new_ones_are_not() -> None:
    mixed = _walks(1).with_columns(policy_version=_in_tenth(pl.lit("v0"), pl.col("policy_version")))
    (found,) = check_identities(_walks(0), mixed)
    assert (found.check, found.column) == ("returning_version", "policy_version")
    assert not check_identities(mixed, mixed)
    number = pl.col("episode_id").str.split("-").list.get(1).cast(pl.Int64)
    deployed = _walks(1).with_columns(
        policy_version=pl.when(number < 30).then(pl.lit("v1")).otherwise(pl.lit("v2"))
    )
    assert not check_identities(_walks(0), deployed)
    undone = deployed.with_columns(
        policy_version=pl.when(number < 50).then("policy_version").otherwise(pl.lit("v1"))
    )
    assert not check_identities(_walks(0), undone)
