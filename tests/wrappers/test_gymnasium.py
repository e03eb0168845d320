"""A Gymnasium environment that is recorded publishes what happened in it, and nothing else."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import replaylake
from replaylake import Lake, RecordSteps, ingest_once
from schemas.environments import spec_from_environment
from schemas.errors import StepsError, UsageError
from schemas.spaces import Scalar
from tests.wrappers.walks import OBSERVATIONS, Recording, Walk, choose, played_alone

COMPARED = ("episode", "step", "observation", "action", "action_mask", "reward", "next_observation")
ENDS = ("terminated", "truncated")


def play(env: Any, seed: int, steps: int) -> None:
    observation, _ = env.reset(seed=seed)
    for _ in range(steps):
        observation, _, terminated, truncated, _ = env.step(choose(observation))
        if terminated or truncated:
            observation, _ = env.reset()


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_every_step_is_published_as_it_was(kind: str, always: bool) -> None:
    recording = Recording(spec_from_environment("walk", Walk(kind)))
    env = RecordSteps(
        Walk(kind), recording.publisher, info_keys=["place"], next_observations="always" if always else "ends"
    )
    play(env, 5, 200)
    expected = played_alone(lambda: Walk(kind), 5, 200, always=always)
    (got,) = recording.by_environment().values()
    for name in (*COMPARED, *ENDS):
        assert [row[name] for row in got] == [row[name] for row in expected], name
    assert [json.loads(row["info"])["place"] for row in got] == [row["place"] for row in expected]
    assert {row["terminated"] for row in got} == {row["truncated"] for row in got} == {True, False}


def test_what_the_policy_says_is_published_with_its_step() -> None:
    spec = spec_from_environment("walk", Walk()).model_copy(
        update={"extras": {"score": Scalar(dtype="float64")}}
    )
    recording = Recording(spec)
    env = RecordSteps(
        Walk(longest=10**6),
        recording.publisher,
        propensity=lambda observation, action: 0.25,
        agent_id="actor",
        policy_version="v1",
    )
    env.reset(seed=1)
    env.step(0)
    env.note(action_probability=0.5, score=1.5)
    env.policy_version = "v2"
    env.step(1)
    env.note(info={"why": "curious"}, policy_version="v3")
    env.step(2)
    env.note(score=9.0)
    env.reset()
    env.step(0)
    rows = recording.rows()
    assert [row["action_log_prob"] for row in rows] == [math.log(p) for p in (0.25, 0.5, 0.25, 0.25)]
    assert [row["policy_version"] for row in rows] == ["v1", "v2", "v3", "v2"]
    assert [row["score"] for row in rows] == [None, 1.5, None, None]
    assert [row["info"] for row in rows] == [None, None, '{"why":"curious"}', None]
    assert {row["agent_id"] for row in rows} == {"actor"}


def test_an_episode_that_is_left_is_incomplete() -> None:
    recording = Recording(spec_from_environment("walk", Walk()))
    env = RecordSteps(Walk(longest=10**6), recording.publisher)
    env.reset(seed=1)
    env.step(0)
    env.step(0)
    env.reset()
    env.step(0)
    env.close()
    rows = recording.by_environment()[0]
    assert [(row["episode"], row["step"]) for row in rows] == [(0, 0), (0, 1), (1, 0)]
    assert all(row["next_observation"] is None for row in rows)
    assert not any(row["terminated"] or row["truncated"] for row in rows)


def test_environments_of_one_publisher_have_episodes_of_their_own() -> None:
    recording = Recording(spec_from_environment("walk", Walk()))
    for seed in range(3):
        play(RecordSteps(Walk(), recording.publisher), seed, 30)
    found = recording.by_environment()
    assert list(found) == [0, 1, 2]
    for seed, rows in found.items():
        assert [row["reward"] for row in rows] == [row["reward"] for row in played_alone(Walk, seed, 30)]


def test_what_is_no_step_of_an_episode_is_not_published() -> None:
    recording = Recording(spec_from_environment("walk", Walk()))
    env = RecordSteps(Walk(longest=2), recording.publisher)
    env.step(0)
    env.reset(seed=1)
    assert True in env.step(0)[2:4]
    env.step(0)
    assert len(recording.rows()) == 1


def test_a_bad_step_is_told_and_the_episode_goes_on() -> None:
    recording = Recording(spec_from_environment("walk", Walk("image")))
    env = RecordSteps(Walk(longest=10**6), recording.publisher)
    env.reset(seed=1)
    with pytest.raises(StepsError, match="observation"):
        env.step(0)
    with pytest.raises(UsageError, match="sometimes"):
        RecordSteps(Walk(), recording.publisher, next_observations="sometimes")  # type: ignore[arg-type]
    assert recording.rows() == []


@pytest.mark.parametrize("stream", ["embedded:", "memory:test_a_play_lands"])
def test_a_play_lands_and_a_restart_that_repeats_it_adds_nothing(tmp_path: Path, stream: str) -> None:
    lake = Lake(tmp_path / "lake")
    archive = lake.create("cartpole", env="CartPole-v1")
    for _ in range(2):
        with replaylake.Publisher(archive, stream=stream, run="night", clock=lambda: 1.7e9) as publisher:
            env = RecordSteps(
                gymnasium.make("CartPole-v1"), publisher, propensity=lambda observation, action: 0.5
            )
            steps = _play_cartpole(env)
    report = ingest_once(lake, stream=stream)
    assert (report.accepted, report.duplicates, report.quarantined) == (len(steps), len(steps), 0)
    landed = lake.sql(
        "select episode_id, step, observation, action, reward, terminated, truncated, next_observation,"
        " action_log_prob from cartpole.steps order by episode_id, step"
    )
    assert landed.rows() == sorted(steps)


def _play_cartpole(env: Any) -> list[tuple[Any, ...]]:
    generator = np.random.default_rng(3)
    rows: list[tuple[Any, ...]] = []
    for episode in range(5):
        observation, _ = env.reset(seed=episode)
        over = False
        step = 0
        while not over:
            action = int(generator.integers(2))
            following, reward, terminated, truncated, _ = env.step(action)
            over = terminated or truncated
            final = following.tolist() if over else None
            told = (action, reward, terminated, truncated, final, math.log(0.5))
            rows.append((f"night/0-{episode}", step, observation.tolist(), *told))
            observation, step = following, step + 1
    return rows
