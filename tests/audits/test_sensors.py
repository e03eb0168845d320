"""Sensors: lost digits and noise are found in single episodes, and clean sensors are left in peace."""

from __future__ import annotations

import numpy as np
import pytest

from tests.audits import spoiled
from tests.audits.rollouts import rollout, spec_of
from tests.audits.spoiled import Fault, Row, spoil
from validation.audits.sensors import check_sensors

NAMES = ["CartPole-v1", "Pendulum-v1", "MountainCarContinuous-v0", "FrozenLake-v1", "Taxi-v4"]


def grid(index: int, size: float) -> Fault:
    """A sensor that only knows multiples."""

    def fault(rows: list[Row], random: np.random.Generator) -> None:
        for row in rows:
            row["observation"][index] = round(row["observation"][index] / size) * size

    return fault


def told(name: str, fault: Fault, *, episodes: bool) -> set[tuple[str, str | None]]:
    bad = spoil(rollout(name, 1), fault, episodes=episodes)
    return {(one.check, one.column) for one in check_sensors(rollout(name, 0), bad, spec_of(name))}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [1, 2, 6])
def test_clean_sensors_are_left_in_peace(name: str, seed: int) -> None:
    assert check_sensors(rollout(name, 0), rollout(name, seed), spec_of(name)) == []


@pytest.mark.parametrize(
    ("name", "index", "size"), [("CartPole-v1", 2, 0.01), ("Pendulum-v1", 0, 0.05), (NAMES[2], 1, 0.001)]
)
@pytest.mark.parametrize("episodes", [True, False])
def test_lost_digits_are_found(name: str, index: int, size: float, episodes: bool) -> None:
    found = told(name, grid(index, size), episodes=episodes)
    assert ("rounded", f"observation[{index}]") in found


def test_a_grid_of_an_odd_size_is_found_in_episodes() -> None:
    assert ("few_values", "observation[2]") in told("Pendulum-v1", grid(2, 0.37), episodes=True)


@pytest.mark.parametrize(("name", "index", "size"), [("CartPole-v1", 2, 0.05), ("Pendulum-v1", 2, 0.5)])
def test_noise_is_found(name: str, index: int, size: float) -> None:
    fault = spoiled.noise(index, size, "observation", "next_observation")
    assert told(name, fault, episodes=True) == {("noise", f"observation[{index}]")}


def test_what_stands_still_is_not_said_to_have_lost_digits() -> None:
    frozen = spoiled.freeze(2, "observation", "next_observation")
    assert told("CartPole-v1", frozen, episodes=True) == set()


def test_nothing_is_said_of_too_little() -> None:
    steps, spec = rollout("CartPole-v1", 0), spec_of("CartPole-v1")
    for reference, current in ((steps, steps[:0]), (steps[:0], steps), (steps, steps[:1])):
        assert check_sensors(reference, current, spec) == []
