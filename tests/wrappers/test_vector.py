"""A vectorised environment publishes what each of its environments would do alone, however it resets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

import replaylake
from ingest.wrappers.batches import value_of
from replaylake import Lake, RecordVectorSteps, ingest_once
from schemas.environments import spec_from_environment
from schemas.errors import UsageError
from schemas.spaces import Scalar
from tests.wrappers.walks import OBSERVATIONS, Recording, Walk, choose, played_alone

COMPARED = ("episode", "step", "observation", "action", "action_mask", "reward", "next_observation")
ENDS = ("terminated", "truncated")
COUNT = 3
MODES = list(AutoresetMode)


def makers(kind: str = "box", longest: int = 6, fresh: bool = False) -> list[Callable[[], Walk]]:
    return [lambda: Walk(kind, longest, fresh)] * COUNT


def makers_for(kind: str, mode: AutoresetMode) -> list[Callable[[], Walk]]:
    """Return environments that write into their arrays, but for the mode where that spoils `final_obs`."""
    return makers(kind, fresh=mode is AutoresetMode.SAME_STEP)


def actions_for(env: Any, observations: Any) -> Any:
    space = env.single_observation_space
    return np.array([choose(value_of(space, observations, row)) for row in range(COUNT)])


def play(env: Any, steps: int, mode: AutoresetMode) -> None:
    """Play by the observations alone, so that a step which is none makes no difference."""
    observations, _ = env.reset(seed=40)
    for _ in range(steps):
        observations, _, terminated, truncated, _ = env.step(actions_for(env, observations))
        over = terminated | truncated
        if mode is AutoresetMode.DISABLED and over.any():
            observations, _ = env.reset(options={"reset_mask": over})


def check(recording: Recording, kind: str, steps: int, *, always: bool) -> None:
    found = recording.by_environment()
    assert list(found) == list(range(COUNT))
    for number, got in found.items():
        assert 2 * steps / 3 < len(got) <= steps
        expected = played_alone(lambda: Walk(kind), 40 + number, len(got), always=always)
        for name in (*COMPARED, *ENDS):
            assert [row[name] for row in got] == [row[name] for row in expected], name
        assert [json.loads(row["info"])["place"] for row in got] == [row["place"] for row in expected]


@pytest.mark.parametrize("always", [False, True], ids=["ends", "always"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_each_environment_is_published_as_if_alone(kind: str, mode: AutoresetMode, always: bool) -> None:
    vector = SyncVectorEnv(makers_for(kind, mode), autoreset_mode=mode, copy=False)
    recording = Recording(spec_from_environment("walk", vector))
    env = RecordVectorSteps(
        vector,
        recording.publisher,
        info_keys=["place"],
        next_observations="always" if always else "ends",
    )
    play(env, 60, mode)
    check(recording, kind, 60, always=always)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # with threads
@pytest.mark.parametrize("mode", MODES)
def test_environments_in_processes_of_their_own_make_no_difference(mode: AutoresetMode) -> None:
    processes = AsyncVectorEnv(makers_for("dict", mode), autoreset_mode=mode)
    recording = Recording(spec_from_environment("walk", processes))
    env = RecordVectorSteps(processes, recording.publisher, info_keys=["place"])
    play(env, 40, mode)
    env.close()
    check(recording, "dict", 40, always=False)


@pytest.mark.parametrize("mode", MODES)
def test_what_the_policy_says_goes_with_the_steps_that_are_steps(mode: AutoresetMode) -> None:
    vector = SyncVectorEnv(makers(), autoreset_mode=mode)
    extras = {"score": Scalar(dtype="float64"), "mark": Scalar(dtype="string")}
    recording = Recording(spec_from_environment("walk", vector).model_copy(update={"extras": extras}))

    def propensity(observations: Any, actions: Any) -> Any:
        return 1 / (2 + actions)

    env = RecordVectorSteps(
        vector, recording.publisher, propensity=propensity, agent_id=["a", "b", "c"], policy_version="v1"
    )
    observations, _ = env.reset(seed=40)
    for _ in range(30):
        env.note(score=observations[:, 0], mark="x")
        observations, _, terminated, truncated, _ = env.step(actions_for(env, observations))
        if mode is AutoresetMode.DISABLED and (terminated | truncated).any():
            observations, _ = env.reset(options={"reset_mask": terminated | truncated})
    for number, rows in recording.by_environment().items():
        assert {row["agent_id"] for row in rows} == {"abc"[number]}
        assert {(row["policy_version"], row["mark"]) for row in rows} == {("v1", "x")}
        for row in rows:
            assert row["action_log_prob"] == pytest.approx(-np.log(2 + row["action"]))
            assert row["score"] == row["observation"][0]


@pytest.mark.parametrize("mode", MODES)
def test_episodes_that_are_left_are_incomplete(mode: AutoresetMode) -> None:
    recording = Recording(spec_from_environment("walk", Walk()))
    env = RecordVectorSteps(SyncVectorEnv(makers(longest=10**6), autoreset_mode=mode), recording.publisher)
    env.reset(seed=1)
    env.step(np.zeros(COUNT, np.int64))
    env.reset(options={"reset_mask": np.array([False, True, False])})
    env.step(np.zeros(COUNT, np.int64))
    env.reset()
    env.step(np.zeros(COUNT, np.int64))
    found = recording.by_environment()
    turns = {number: [(row["episode"], row["step"]) for row in rows] for number, rows in found.items()}
    kept, left = [(0, 0), (0, 1), (1, 0)], [(0, 0), (1, 0), (2, 0)]
    assert turns == {0: kept, 1: left, 2: kept}
    assert not any(row["terminated"] or row["truncated"] for rows in found.values() for row in rows)


def test_a_list_is_as_good_as_a_batch() -> None:
    recording = Recording(spec_from_environment("walk", Walk()))
    env = RecordVectorSteps(SyncVectorEnv(makers(longest=10**6)), recording.publisher)
    env.reset(seed=1)
    env.step([0, 1, 2])
    assert [row["action"] for row in recording.rows()] == [0, 1, 2]


def test_an_environment_that_does_not_say_how_it_resets_is_refused() -> None:
    recording = Recording(spec_from_environment("walk", Walk()))
    vector = SyncVectorEnv(makers(longest=2), autoreset_mode=AutoresetMode.NEXT_STEP)
    vector.metadata = {}
    with pytest.raises(UsageError, match="autoreset mode"):
        RecordVectorSteps(vector, recording.publisher)
    env = RecordVectorSteps(vector, recording.publisher, autoreset_mode="SameStep")
    env.reset(seed=1)
    with pytest.raises(UsageError, match="final_obs"):
        env.step(np.zeros(COUNT, np.int64))
    assert recording.rows() == []


def test_gymnasiums_own_vector_of_cartpoles_lands(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    archive = lake.create("cartpole", env="CartPole-v1")
    vector = gymnasium.make_vec("CartPole-v1", num_envs=4, vectorization_mode="vector_entry_point")
    with replaylake.Publisher(archive, run="r") as publisher:
        env = RecordVectorSteps(vector, publisher)
        env.reset(seed=0)
        env.action_space.seed(0)
        resets = 0
        for _ in range(100):
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            resets += int((terminated | truncated).sum())
        resets -= int((terminated | truncated).sum())  # these would come with the next step
    report = ingest_once(lake)
    assert resets > 0
    assert (report.accepted, report.quarantined) == (400 - resets, 0)
