"""Evaluation: every episode is counted whole, and its result hangs on its seed alone."""

from __future__ import annotations

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.errors import UsageError
from tests.training.samples import CHAIN_ACTION, CHAIN_OBSERVATION, chain
from training import Evaluation, evaluate, fit


class Lottery(gymnasium.Env[NDArray[np.float32], np.int64]):
    """Draw a length at reset; pay 1 a step for action 1, and end by terminating or by truncating."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    steps_taken = 0
    closed = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self.length = int(self.np_random.integers(1, 30))
        self.left = self.length
        return np.array([self.left, self.length], np.float32), {}

    def step(self, action: np.int64) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        assert self.left > 0, "an episode that has ended must not be stepped"
        self.left -= 1
        Lottery.steps_taken += 1
        over = self.left == 0
        observation = np.array([self.left, self.length], np.float32)
        return observation, float(action), over and self.length % 2 == 0, over and self.length % 2 == 1, {}

    def close(self) -> None:
        Lottery.closed += 1


def ones(observations: NDArray[Any]) -> NDArray[np.int64]:
    return np.ones(len(observations), dtype=np.int64)


def lengths_by_hand(seed: int, episodes: int) -> list[int]:
    env, found = Lottery(), []
    for word in np.random.SeedSequence(seed).generate_state(episodes):
        observation, _ = env.reset(seed=int(word))
        found.append(int(observation[1]))
    return found


@pytest.mark.parametrize("parallel", [1, 3, 7, 50])
def test_every_step_of_every_episode_is_counted_once(parallel: int) -> None:
    Lottery.steps_taken = Lottery.closed = 0
    result = evaluate(ones, env=Lottery, episodes=25, seed=5, parallel=parallel)
    assert list(result.lengths) == lengths_by_hand(5, 25)
    assert list(result.returns) == [float(length) for length in result.lengths]
    assert Lottery.steps_taken == sum(result.lengths), "no step may be played that is not counted"
    assert Lottery.closed == min(parallel, 25)
    assert result.env == "Lottery"


def test_a_seed_s_first_episodes_do_not_hang_on_their_number() -> None:
    few = evaluate(ones, env=Lottery, episodes=4, seed=1)
    many = evaluate(ones, env=Lottery, episodes=12, seed=1)
    assert many.lengths[:4] == few.lengths
    assert evaluate(ones, env=Lottery, episodes=12, seed=2).lengths != many.lengths


def test_cartpole_gives_the_same_whatever_is_played_at_once() -> None:
    def lean(observations: NDArray[Any]) -> NDArray[np.int64]:
        return (observations[:, 2] > 0).astype(np.int64)

    results = [evaluate(lean, episodes=9, seed=3, parallel=parallel) for parallel in (1, 4, 9)]
    assert results[0] == results[1] == results[2]
    assert 20 < results[0].mean < 80  # pushing towards the lean holds a pole for some 40 steps
    assert results[0].returns == tuple(float(length) for length in results[0].lengths)


def test_a_trained_policy_gives_the_same_whatever_is_played_at_once() -> None:
    data = chain()
    policy = fit(data, CHAIN_OBSERVATION, CHAIN_ACTION, updates=20, hidden=(8,))

    class Shifted(Lottery):
        action_space = gymnasium.spaces.Discrete(2, start=10)

    results = [evaluate(policy, env=Shifted, episodes=11, parallel=parallel) for parallel in (1, 2, 11)]
    assert results[0] == results[1] == results[2]


def test_the_numbers_of_an_evaluation() -> None:
    result = Evaluation("E", 0, returns=(1.0, 2.0, 3.0, 6.0), lengths=(1, 1, 1, 1))
    assert (result.mean, result.min, result.max) == (3.0, 1.0, 6.0)
    assert result.std == pytest.approx(np.sqrt((4 + 1 + 0 + 9) / 3))
    assert result.interval is not None
    low, high = result.interval
    assert 1.0 <= low < 3.0 < high <= 6.0
    assert str(result).startswith("E: mean return 3.0 over 4 episodes (95% interval ")
    assert json.loads(json.dumps(result.to_dict()))["interval"] == [low, high]


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(60):
        sample = generator.normal(10, 3, size=40)
        interval = Evaluation("E", 0, tuple(sample), (1,) * 40).interval
        assert interval is not None
        hits += interval[0] <= 10 <= interval[1]
    assert hits >= 50  # 57 of 60 are expected; 50 or more has a probability above 0.999


def test_equal_returns_have_no_width_and_a_single_one_no_interval() -> None:
    assert Evaluation("E", 0, (5.0,) * 3, (1,) * 3).interval == (5.0, 5.0)
    single = Evaluation("E", 0, (5.0,), (1,))
    assert single.interval is None and single.std == 0.0
    assert str(single) == "E: return 5.0 in 1 episode"
    assert single.to_dict()["interval"] is None


@pytest.mark.parametrize("name", ["NoSuchEnv-v0", "CartPole-v99", "nowhere/Env-v0", "not an id"])
def test_an_unknown_environment_is_named_with_the_mend(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate(ones, env=name)
    assert name in caught.value.message
    assert "CartPole-v1" in caught.value.hint


def test_another_observation_space_than_the_policy_s_names_both() -> None:
    policy = fit(chain(), CHAIN_OBSERVATION, CHAIN_ACTION, updates=1, hidden=(4,))
    with pytest.raises(UsageError, match=r"observation_space is Box\(2,\), .* CartPole-v1 is Box\(4,\)"):
        evaluate(policy)


def test_another_action_space_than_the_policy_s_names_both() -> None:
    policy = fit(chain(), CHAIN_OBSERVATION, CHAIN_ACTION, updates=1, hidden=(4,))
    Lottery.closed = 0
    with pytest.raises(UsageError, match=r"Discrete\(2, start=10\), .* Lottery is Discrete\(2, start=0\)"):
        evaluate(policy, env=Lottery)
    assert Lottery.closed == 1


def test_a_space_that_has_no_columns_is_named_as_gymnasium_names_it() -> None:
    policy = fit(chain(), CHAIN_OBSERVATION, CHAIN_ACTION, updates=1, hidden=(4,))

    class Endless(Lottery):
        action_space = gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(2))  # type: ignore[assignment]

    with pytest.raises(UsageError, match=r"that of Endless is Sequence\(Discrete\(2\)"):
        evaluate(policy, env=Endless)


@pytest.mark.parametrize("wrong", [{"episodes": 0}, {"parallel": 0}, {"seed": -1}])
def test_counts_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        evaluate(ones, env=Lottery, **wrong)
