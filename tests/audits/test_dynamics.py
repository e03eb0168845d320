"""Dynamics: clean experience is left in peace, and of spoiled experience the right column is named."""

from __future__ import annotations

import polars as pl
import pytest

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Dict, Discrete
from schemas.step import wire_schema
from tests.audits import spoiled
from tests.audits.rollouts import rollout, spec_of
from tests.audits.spoiled import Fault, spoil
from validation.audits.dynamics import check_dynamics

BOTH = ("observation", "next_observation")
CARTPOLE, PENDULUM, CAR, TAXI = "CartPole-v1", "Pendulum-v1", "MountainCarContinuous-v0", "Taxi-v4"


def columns(name: str, fault: Fault, *, episodes: bool, explicit: bool = True) -> set[str | None]:
    """Spoil a twentieth of clean experience, and return the columns that are named."""
    bad = spoil(rollout(name, 1, explicit=explicit), fault, episodes=episodes)
    return {found.column for found in check_dynamics(rollout(name, 0, explicit=explicit), bad, spec_of(name))}


@pytest.mark.parametrize("name", [CARTPOLE, PENDULUM, CAR, TAXI, "FrozenLake-v1"])
@pytest.mark.parametrize("seed", [2])
def test_clean_experience_is_left_in_peace(name: str, seed: int) -> None:
    assert check_dynamics(rollout(name, 0), rollout(name, seed), spec_of(name)) == []


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize(
    ("name", "fault", "episodes", "column"),
    [
        (CARTPOLE, spoiled.scale_sensor(2, 57.3), True, "observation[2]"),
        (CARTPOLE, spoiled.scale_sensor(3, 1.2), True, "observation[3]"),
        (CARTPOLE, spoiled.delay_sensor(2), True, "observation[2]"),
        (CARTPOLE, spoiled.swap(0, 1, *BOTH), True, "observation[1]"),
        (CARTPOLE, spoiled.relabel(2), True, "action"),
        (CARTPOLE, spoiled.relabel(2), False, "action"),
        (CARTPOLE, spoiled.delay("action"), True, "action"),
        (CARTPOLE, spoiled.scale("reward", None, 100), False, "reward"),
        (TAXI, spoiled.relabel(6), True, "action"),
        (TAXI, spoiled.scale("reward", None, 10), True, "reward"),
    ],
)
def test_the_column_that_is_wrong_is_named(
    name: str, fault: Fault, episodes: bool, column: str, explicit: bool
) -> None:
    assert column in columns(name, fault, episodes=episodes, explicit=explicit)


@pytest.mark.parametrize(
    ("name", "fault", "explicit", "column"),
    [
        (PENDULUM, spoiled.scale_sensor(2, 1.2), False, "observation[2]"),
        (PENDULUM, spoiled.delay("action"), True, "action[0]"),
        (PENDULUM, spoiled.delay("reward"), False, "reward"),
        (PENDULUM, spoiled.freeze(2, *BOTH), True, "observation[2]"),
        (CAR, spoiled.flip_reward, True, "reward"),
        (CAR, spoiled.delay("action"), True, "action[0]"),
    ],
)
def test_the_column_is_named_where_actions_are_numbers(
    name: str, fault: Fault, explicit: bool, column: str
) -> None:
    assert column in columns(name, fault, episodes=True, explicit=explicit)


@pytest.mark.parametrize("name", [CARTPOLE, PENDULUM])
def test_where_the_next_observation_is_stated_it_is_told_from_the_observation(name: str) -> None:
    assert columns(name, spoiled.scale("observation", 1, 3.0), episodes=False) == {"observation[1]"}
    assert columns(name, spoiled.scale("next_observation", 1, 3.0), episodes=False) == {"next_observation[1]"}
    swapped = columns(name, spoiled.swap(0, 1, "observation"), episodes=False)
    assert swapped == {"observation[0]", "observation[1]"}
    assert "next_observation" in columns(name, spoiled.off_by_one, episodes=True)


def test_rows_under_another_agent_go_on_elsewhere() -> None:
    steps = pl.DataFrame(rollout(PENDULUM, 1))
    moved = (pl.int_range(pl.len()) % 20) == 7
    mixed = steps.with_columns(agent_id=pl.when(moved).then(pl.lit("other")).otherwise("agent_id"))
    found = check_dynamics(rollout(PENDULUM, 0), mixed, spec_of(PENDULUM))
    assert ("continues_elsewhere", "agent_id") in {(one.check, one.column) for one in found}


def test_a_finding_says_how_many_rows_and_which() -> None:
    bad = spoil(rollout(CARTPOLE, 1), spoiled.scale("reward", None, 100), episodes=False)
    (found,) = check_dynamics(rollout(CARTPOLE, 0), bad, spec_of(CARTPOLE))
    assert found.audit == "dynamics"
    assert found.total == bad.num_rows
    assert 0.9 * 0.05 * bad.num_rows <= found.count <= 1.1 * 0.05 * bad.num_rows
    wrong = pl.DataFrame(bad).filter(pl.col("reward") == 100)
    keys = set(wrong.select("episode_id", "step").iter_rows())
    assert found.examples
    assert all((one["episode_id"], one["step"]) in keys for one in found.examples)
    assert check_dynamics(rollout(CARTPOLE, 0), bad, spec_of(CARTPOLE)) == [found]


def test_the_order_of_rows_does_not_matter() -> None:
    bad = spoil(rollout(CARTPOLE, 1), spoiled.relabel(2), episodes=True)
    shuffled = pl.DataFrame(bad).sample(fraction=1, shuffle=True, seed=3)
    spec, reference = spec_of(CARTPOLE), rollout(CARTPOLE, 0)
    assert check_dynamics(reference, shuffled, spec) == check_dynamics(reference, bad, spec)


def test_nothing_is_said_of_too_little() -> None:
    steps, spec = rollout(CARTPOLE, 0), spec_of(CARTPOLE)
    for reference, current in (
        (steps, steps[:0]),
        (steps[:0], steps),
        (steps[:50], steps),
        (steps, steps[:1]),
    ):
        assert check_dynamics(reference, current, spec) == []


def test_missing_values_and_nested_observations_are_borne() -> None:
    spec = ArchiveSpec(
        name="nested",
        observation=Dict(spaces={"place": Box(shape=(2,)), "room": Discrete(n=3)}),
        action=Discrete(n=2),
    )
    rows = [
        {
            "source": "s",
            "agent_id": "a",
            "episode_id": f"e{index // 50}" if index % 7 else None,
            "event_id": None if index % 7 else str(index),
            "step": index % 50 if index % 7 else None,
            "observation": {"place": [float(index % 50), 0.0], "room": index % 3},
            "action": index % 2,
            "reward": None if index % 5 == 0 else float("nan") if index % 5 == 1 else 1.0,
            "terminated": False,
            "truncated": False,
            "priority": 1.0,
        }
        for index in range(2000)
    ]
    steps = pl.from_dicts(rows, schema=pl.DataFrame(wire_schema(spec).empty_table()).schema)
    assert check_dynamics(steps, steps, spec) == []
