"""Duplicates: the same content under another key is found, and honest repetitions are not."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audits.rollouts import rollout, spec_of
from validation.audits.duplicates import check_duplicates

NAMES = ["CartPole-v1", "Pendulum-v1", "MountainCarContinuous-v0", "FrozenLake-v1", "Taxi-v4"]
MOVING = NAMES[:3]


def told(name: str, steps: pl.DataFrame, reference: bool = True) -> list[tuple[str, str | None, int]]:
    known = rollout(name, 0) if reference else None
    return [(one.check, one.column, one.count) for one in check_duplicates(steps, spec_of(name), known)]


def episodes(name: str) -> tuple[pl.DataFrame, list[str]]:
    """Return clean steps, and the names of their longest episodes."""
    steps = pl.DataFrame(rollout(name, 1))
    sizes = steps.group_by("episode_id").len().sort("len", "episode_id", descending=True)
    return steps, sizes["episode_id"].to_list()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [1, 2])
def test_clean_experience_repeats_honestly(name: str, seed: int) -> None:
    steps = pl.DataFrame(rollout(name, seed))
    assert told(name, steps) == []
    assert told(name, steps, reference=False) == []


@pytest.mark.parametrize("name", [*MOVING, "Taxi-v4"])
@pytest.mark.parametrize("key", ["source", "agent_id", "episode_id"])
def test_an_episode_under_another_key_is_found(name: str, key: str) -> None:
    steps, names = episodes(name)
    again = steps.filter(pl.col("episode_id").is_in(names[:2])).with_columns(
        (pl.lit("z") + pl.col(key)).alias(key)
    )
    assert told(name, pl.concat([steps, again])) == [("episode", key, 2)]


@settings(max_examples=15, deadline=None)
@given(start=st.integers(0, 40), length=st.integers(8, 60))
def test_a_piece_of_another_episode_is_found(start: int, length: int) -> None:
    steps, names = episodes("Pendulum-v1")
    piece = steps.filter(pl.col("episode_id") == names[0]).slice(start, length)
    piece = piece.with_columns(episode_id=pl.lit("spliced"))
    assert told("Pendulum-v1", pl.concat([steps, piece])) == [("piece", "episode_id", length)]


@pytest.mark.parametrize("name", MOVING)
def test_rows_said_twice_are_found(name: str) -> None:
    steps = pl.DataFrame(rollout(name, 1)).with_columns(step=pl.col("step") * 2)
    again = steps.gather_every(20).with_columns(step=pl.col("step") + 1)
    assert told(name, pl.concat([steps, again])) == [("repeated_row", "step", again.height)]


def test_episodes_of_the_reference_are_information() -> None:
    found = check_duplicates(rollout("Pendulum-v1", 0), spec_of("Pendulum-v1"), rollout("Pendulum-v1", 0))
    assert [(one.check, one.severity, one.count) for one in found] == [("in_reference", "info", 30)]


def test_no_rows_no_findings() -> None:
    empty = pl.DataFrame(rollout("Pendulum-v1", 1)[:0])
    assert told("Pendulum-v1", empty) == []
    assert told("Pendulum-v1", pl.DataFrame(rollout("Pendulum-v1", 1)[:3])) == []
