"""Relations: a column that knows the future, is a copy, or no longer goes with the others."""

from __future__ import annotations

import pytest

from tests.audits import spoiled
from tests.audits.rollouts import rollout, spec_of
from tests.audits.spoiled import Fault, spoil
from validation.audits.finding import Finding
from validation.audits.relations import check_relations

NAMES = ["CartPole-v1", "Pendulum-v1", "MountainCarContinuous-v0", "FrozenLake-v1", "Taxi-v4"]


def findings(name: str, fault: Fault, *, episodes: bool) -> list[Finding]:
    bad = spoil(rollout(name, 1), fault, episodes=episodes)
    return check_relations(rollout(name, 0), bad, spec_of(name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [2])
def test_clean_experience_is_left_in_peace(name: str, seed: int) -> None:
    assert check_relations(rollout(name, 0), rollout(name, seed), spec_of(name)) == []


@pytest.mark.parametrize(("name", "element"), [("CartPole-v1", 2), ("Pendulum-v1", 2), (NAMES[2], 1)])
def test_an_element_that_knows_the_future_is_found(name: str, element: int) -> None:
    (found,) = [one for one in findings(name, spoiled.leak(element), episodes=False) if one.check == "equal"]
    assert found.column == f"observation[{element}]"
    assert "1 step later" in found.message


@pytest.mark.parametrize(("name", "element"), [("CartPole-v1", 2), ("Pendulum-v1", 1)])
def test_an_element_that_is_the_reward_is_found(name: str, element: int) -> None:
    found = findings(name, spoiled.leak_reward(element), episodes=False)
    assert ("equal", f"observation[{element}]") in {(one.check, one.column) for one in found}


@pytest.mark.parametrize(
    ("name", "fault", "column"),
    [
        ("CartPole-v1", spoiled.relabel(2), "action"),
        ("CartPole-v1", spoiled.shuffle_action, "action"),
        ("Pendulum-v1", spoiled.shuffle_action, "action[0]"),
        ("MountainCarContinuous-v0", spoiled.shuffle_action, "action[0]"),
    ],
)
def test_an_action_that_does_not_follow_from_the_observation_is_found(
    name: str, fault: Fault, column: str
) -> None:
    found = findings(name, fault, episodes=True)
    assert ("policy", column) in {(one.check, one.column) for one in found}


def test_correlations_that_changed_name_what_they_have_in_common() -> None:
    clean, spec = rollout("Pendulum-v1", 0), spec_of("Pendulum-v1")
    bad = spoil(rollout("Pendulum-v1", 1), spoiled.flip_reward, episodes=True, share=0.5)
    found = [one for one in check_relations(clean, bad, spec) if one.check == "correlation"]
    assert found
    assert found[0].column == "reward"


def test_nothing_is_said_of_too_little() -> None:
    steps, spec = rollout("CartPole-v1", 0), spec_of("CartPole-v1")
    for reference, current in (
        (steps, steps[:0]),
        (steps[:0], steps),
        (steps, steps[:1]),
        (steps[:5], steps[:5]),
    ):
        assert check_relations(reference, current, spec) == []
