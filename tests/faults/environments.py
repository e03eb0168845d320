"""Three worlds whose clean experience is recorded: CartPole, Pendulum, and an arena of three agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import gymnasium
import numpy as np

from schemas.archive_spec import ArchiveSpec
from schemas.environments import spec_from_environment
from schemas.spaces import Scalar
from schemas.steps import Steps
from tests.faults.arena import AGENTS, Arena, possible_thrusts, speed_of
from tests.faults.policies import BALANCE, HOMING, SWING, Softmax, Swing

Policy = Softmax | Swing
Row = dict[str, Any]
Play = Callable[["Policy", np.random.Generator, int, Mapping[str, float]], Iterator[list[Row]]]

_START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1e6)
_TICK = 50_000  # microseconds from one turn to the next
_POLICY_VERSION = "v3"
_DISCOUNT = 0.99


@dataclass(frozen=True)
class World:
    """Know how to record an environment, who acted in it, and what its rows are."""

    name: str
    spec: ArchiveSpec
    policy: Policy
    play: Play  # episodes without end, each a list of rows of one agent
    other_physics: Mapping[str, float]  # of another version of the environment
    other_policy: Policy  # that acted before this one


def record(
    world: World,
    seed: int,
    rows: int,
    *,
    physics: Mapping[str, float] | None = None,
    policy: Policy | None = None,
) -> Steps:
    """Record whole episodes until there are as many rows; the same seed gives the same rows."""
    rng = np.random.default_rng([seed, *world.name.encode()])
    policy = policy or world.policy
    kept: list[Row] = []
    clock = _START + seed * 86_400_000_000
    for episode in world.play(policy, rng, seed, physics or {}):
        first = clock + np.int64(episode[0].pop("offset", 0))
        jitter = rng.integers(0, _TICK // 2, len(episode))
        for row, late in zip(episode, jitter.tolist(), strict=True):
            row |= {"discount": _DISCOUNT, "policy_version": _POLICY_VERSION}
            row["event_time"] = datetime.fromtimestamp((first + row["step"] * _TICK + late) / 1e6, UTC)
        clock = int(first) + len(episode) * _TICK
        kept += episode
        if len(kept) >= rows:
            break
    return Steps.from_rows(_with_propensities(kept, policy), world.spec)


def _with_propensities(rows: list[Row], policy: Policy) -> list[Row]:
    observations = np.array([row["observation"] for row in rows])
    actions = np.array([row["action"] for row in rows])
    for row, log_prob in zip(rows, policy.log_prob(observations, actions).tolist(), strict=True):
        row["action_log_prob"] = log_prob
    return rows


def _play_alone(name: str, turns: int) -> Play:
    """Let two agents take turns, each in its own copy of a Gymnasium environment."""

    def play(
        policy: Policy, rng: np.random.Generator, seed: int, physics: Mapping[str, float]
    ) -> Iterator[list[Row]]:
        env: Any = gymnasium.make(name).unwrapped
        for setting, value in physics.items():
            setattr(env, setting, value)
        number = 0
        while True:
            observation, _ = env.reset(seed=int(rng.integers(2**31)))
            agent, rows = f"robot-{number % 2}", []
            for step in range(turns):
                action = policy.act(observation, rng)
                following, reward, ended, _, _ = env.step(action)
                rows.append(
                    {
                        "source": "laboratory",
                        "agent_id": agent,
                        "episode_id": f"{seed}-{agent}-{number}",
                        "step": step,
                        "observation": observation,
                        "action": action,
                        "reward": float(reward),
                        "next_observation": following,
                        "terminated": bool(ended),
                        "truncated": step == turns - 1 and not ended,
                    }
                )
                observation = following
                if ended:
                    break
            number += 1
            yield rows

    return play


def _play_together(
    policy: Policy, rng: np.random.Generator, seed: int, physics: Mapping[str, float]
) -> Iterator[list[Row]]:
    """Let three agents act in one arena; what they share is the episode, and its clock."""
    env, number = Arena(**physics), 0
    while True:
        observations = env.reset(int(rng.integers(2**31)))
        lived: dict[str, list[Row]] = {agent: [] for agent in AGENTS}
        ended = cut = False
        while not ended and not cut:
            actions = {agent: policy.act(observations[agent], rng) for agent in AGENTS}
            following, rewards, ended, cut = env.step(actions)
            for agent, rows in lived.items():
                rows.append(
                    {
                        "source": "arena",
                        "agent_id": agent,
                        "episode_id": f"{seed}-{number}",
                        "step": len(rows),
                        "observation": observations[agent],
                        "action": actions[agent],
                        "action_mask": possible_thrusts(observations[agent][None])[0],
                        "reward": rewards[agent],
                        "next_observation": following[agent],
                        "terminated": ended,
                        "truncated": cut,
                        "speed": speed_of(observations[agent]),
                    }
                )
            observations = following
        number += 1
        for place, rows in enumerate(lived.values()):
            rows[0]["offset"] = -len(rows) * _TICK if place else 0
            yield rows


@cache
def worlds() -> dict[str, World]:
    """Return the worlds by name."""
    cartpole = spec_from_environment("cartpole", "CartPole-v1")
    pendulum = spec_from_environment("pendulum", "Pendulum-v1")
    arena = spec_from_environment("arena", Arena())
    return {
        "cartpole": World(
            "cartpole",
            cartpole,
            BALANCE,
            _play_alone("CartPole-v1", 200),
            {"gravity": 19.6},
            Softmax(BALANCE.weights / 2),
        ),
        "pendulum": World(
            "pendulum",
            pendulum.model_copy(update={"propensity": "density"}),
            SWING,
            _play_alone("Pendulum-v1", 100),
            {"g": 15.0},
            Swing(strength=0.8),
        ),
        "arena": World(
            "arena",
            arena.model_copy(update={"extras": {"speed": Scalar(dtype="float64")}}),
            HOMING,
            _play_together,
            {"drag": 0.7},
            Softmax(HOMING.weights / 2, possible_thrusts),
        ),
    }
