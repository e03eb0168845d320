"""Specs are read off environments."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces as gym
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.archive_spec import ArchiveSpec
from schemas.environments import space_from_gymnasium, spec_from_environment
from schemas.errors import SpecError, UsageError
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple, space_from_json
from schemas.steps import Steps

NVECS: list[Any] = [[2], [3, 4], [[2, 3], [4, 5]]]
GYM_SPACES = st.recursive(
    st.builds(
        lambda shape, dtype: gym.Box(0, 1, shape=shape, dtype=dtype),
        st.sampled_from([(), (1,), (2, 3)]),
        st.sampled_from(
            [np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16]
        ),
    )
    | st.builds(gym.Discrete, st.integers(1, 5), start=st.integers(-3, 3))
    | st.builds(gym.MultiDiscrete, st.sampled_from(NVECS))
    | st.builds(gym.MultiBinary, st.sampled_from([3, [2, 2]]))
    | st.builds(gym.Text, st.integers(1, 5)),
    lambda inner: (
        st.builds(gym.Dict, st.dictionaries(st.sampled_from(["a", "B_1"]), inner, min_size=1, max_size=2))
        | st.builds(gym.Tuple, st.lists(inner, min_size=1, max_size=2))
    ),
    max_leaves=3,
)


@settings(max_examples=60, deadline=None)
@given(space=GYM_SPACES, seed=st.integers(0, 99))
def test_samples_of_any_space_become_steps_that_follow_the_spec(space: Any, seed: int) -> None:
    ours = space_from_gymnasium(space)
    spec = ArchiveSpec(name="demo", observation=ours, action=ours)
    space.seed(seed)
    samples = [space.sample() for _ in range(3)]
    ends = {"terminated": False, "truncated": False}

    steps = Steps.from_rows(
        [
            {"episode_id": "e", "step": n, "observation": sample, "action": sample, **ends}
            for n, sample in enumerate(samples)
        ],
        spec,
    )

    assert len(steps) == 3
    assert space_from_json(ours.to_json()) == ours


@pytest.mark.parametrize(
    ("space", "ours"),
    [
        (gym.Box(0, 255, (2, 3), np.uint8), Box(shape=(2, 3), dtype="uint8", low=0.0, high=255.0)),
        (
            gym.Box(np.array([-1.0, 0.0]), np.array([1.0, np.inf]), dtype=np.float64),
            Box(shape=(2,), dtype="float64", low=(-1.0, 0.0), high=(1.0, np.inf)),
        ),
        (gym.Discrete(3, start=2), Discrete(n=3, start=2)),
        (gym.MultiDiscrete([2, 3], start=[1, 0]), MultiDiscrete(nvec=(2, 3), start=(1, 0))),
        (gym.MultiDiscrete(np.array([[2, 3]])), MultiDiscrete(nvec=(2, 3), shape=(1, 2))),
        (gym.MultiBinary([2, 2]), MultiBinary(shape=(2, 2))),
        (gym.Text(5, min_length=2), Text(max_length=5, min_length=2)),
        (gym.Dict({"a": gym.Discrete(2)}), Dict(spaces={"a": Discrete(n=2)})),
        (gym.Tuple([gym.Discrete(2)]), Tuple(spaces=(Discrete(n=2),))),
    ],
)
def test_each_kind_keeps_what_it_says(space: Any, ours: Any) -> None:
    assert space_from_gymnasium(space) == ours


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (gym.Graph(gym.Discrete(2), None), "Wrap it into Box"),
        (gym.Dict({"a b": gym.Discrete(2)}), "'a b' is not letters"),
        (gym.Dict({}), "at least 1 item"),
        (gym.Dict({"a": gym.Discrete(2), "A": gym.Discrete(2)}), "differ in case only"),
        (gym.Box(0, 1, (0,)), "greater than or equal to 1"),
        (gym.Box(0, 1, (2,), np.uint64), "uint64"),
        (gym.Tuple([gym.Dict({"": gym.Discrete(2)})]), "'' is not letters"),
    ],
)
def test_a_space_without_columns_is_refused_by_name(space: Any, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        space_from_gymnasium(space)


@pytest.mark.parametrize(
    ("name", "observation", "action"),
    [
        ("CartPole-v1", pytest.approx, Discrete(n=2)),
        ("Taxi-v4", Discrete(n=500), Discrete(n=6)),
        ("Blackjack-v1", Tuple(spaces=(Discrete(n=32), Discrete(n=11), Discrete(n=2))), Discrete(n=2)),
        ("MountainCarContinuous-v0", pytest.approx, Box(shape=(1,), low=-1.0, high=1.0)),
    ],
)
def test_steps_of_real_environments_follow_their_spec(name: str, observation: Any, action: Any) -> None:
    try:
        env = gymnasium.make(name)
    except gymnasium.error.DependencyNotInstalled as exc:
        pytest.skip(str(exc))
    spec = spec_from_environment("demo", name)
    rows = []
    seen, _ = env.reset(seed=1)
    env.action_space.seed(1)
    for number in range(20):
        chosen = env.action_space.sample()
        following, reward, terminated, truncated, _ = env.step(chosen)
        rows.append(
            {
                "episode_id": "e",
                "step": number,
                "observation": seen,
                "action": chosen,
                "reward": reward,
                "next_observation": following,
                "terminated": terminated,
                "truncated": truncated,
            }
        )
        seen = following
        if terminated or truncated:
            break
    env.close()

    assert len(Steps.from_rows(rows, spec)) == len(rows)
    assert (spec.environment, spec.action) == (name, action)
    assert observation is pytest.approx or spec.observation == observation


def test_a_vectorised_environment_is_read_as_one_of_its_own() -> None:
    env = gymnasium.make_vec("CartPole-v1", num_envs=3)
    assert spec_from_environment("demo", env) == spec_from_environment("demo", "CartPole-v1")
    env.close()


def test_an_environment_that_cannot_be_made_is_named() -> None:
    with pytest.raises(UsageError, match=r"'Nothing-v0' cannot be made.*such as CartPole-v1"):
        spec_from_environment("demo", "Nothing-v0")


def test_an_object_that_is_no_environment_is_refused() -> None:
    with pytest.raises(SpecError, match="A dict has no observation_space"):
        spec_from_environment("demo", {})


class _Parallel:
    """The part of PettingZoo's interface that is looked at."""

    def __init__(self, **spaces: gym.Space[Any]) -> None:
        self.possible_agents = list(spaces)
        self._spaces = spaces

    def observation_space(self, agent: str) -> gym.Space[Any]:
        return self._spaces[agent]

    def action_space(self, agent: str) -> gym.Space[Any]:
        return gym.Discrete(3)


def test_agents_with_the_same_spaces_share_an_archive() -> None:
    spec = spec_from_environment("demo", _Parallel(red=gym.Discrete(2), blue=gym.Discrete(2)))
    assert (spec.observation, spec.action) == (Discrete(n=2), Discrete(n=3))


def test_agents_with_different_spaces_do_not() -> None:
    with pytest.raises(SpecError, match=r"2 agents .* 2 different pairs.*one archive for each kind"):
        spec_from_environment("demo", _Parallel(red=gym.Discrete(2), blue=gym.Discrete(4)))


@pytest.mark.filterwarnings("ignore:The old environment creation API:DeprecationWarning")
def test_pettingzoo_itself() -> None:
    pytest.importorskip("pettingzoo", reason="an extra")
    try:
        from pettingzoo.classic import tictactoe_v3
    except ImportError as exc:
        pytest.skip(str(exc))
    env = tictactoe_v3.env()
    spec = spec_from_environment("demo", env)
    env.close()
    assert spec.action == Discrete(n=9)
    assert isinstance(spec.observation, Dict)
    assert set(spec.observation.spaces) == {"observation", "action_mask"}
