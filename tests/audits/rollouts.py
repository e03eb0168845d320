"""Experience of real environments for the tests of the audits: clean, by simple stochastic policies."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import gymnasium
import numpy as np
import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from schemas.environments import spec_from_environment
from schemas.step import wire_schema

Policy = Callable[[Any, np.random.Generator], Any]


def _balance(observation: Any, random: np.random.Generator) -> int:
    if random.random() < 0.3:
        return int(random.integers(2))
    return int(observation[2] + 0.5 * observation[3] + 0.05 * observation[0] > 0)


def _swing(observation: Any, random: np.random.Generator) -> Any:
    push = 1.5 * np.sign(observation[2]) if observation[0] < 0.7 else -8 * observation[1] - 2 * observation[2]
    return np.clip(push + random.normal(0, 0.7, 1), -2, 2).astype(np.float32)


def _rock(observation: Any, random: np.random.Generator) -> Any:
    return np.clip(np.sign(observation[1]) * 0.8 + random.normal(0, 0.4, 1), -1, 1).astype(np.float32)


def _any_of(count: int) -> Policy:
    return lambda observation, random: int(random.integers(count))


_POLICIES: dict[str, Policy] = {
    "CartPole-v1": _balance,
    "Pendulum-v1": _swing,
    "MountainCarContinuous-v0": _rock,
    "Acrobot-v1": _any_of(3),
    "FrozenLake-v1": _any_of(4),
    "Taxi-v4": _any_of(6),
}


@lru_cache(maxsize=64)
def rollout(name: str, seed: int, rows: int = 6000, explicit: bool = True, limit: int = 200) -> pa.Table:
    """Play whole episodes until there are so many rows; `explicit` writes every next observation out."""
    env = gymnasium.make(name, max_episode_steps=limit)
    random = np.random.default_rng(seed)
    policy = _POLICIES[name]
    steps: list[dict[str, Any]] = []
    episode = 0
    while len(steps) < rows:
        observation, _ = env.reset(seed=seed * 100_003 + episode)
        done, step = False, 0
        while not done:
            action = policy(observation, random)
            following, reward, terminated, truncated, _ = env.step(action)
            done = terminated or truncated
            steps.append(
                {
                    "source": "test",
                    "agent_id": f"a{episode % 4}",
                    "episode_id": f"run{seed}-{episode}",
                    "step": step,
                    "observation": _plain(observation),
                    "action": _plain(action),
                    "reward": float(reward),
                    "next_observation": _plain(following) if explicit or truncated else None,
                    "terminated": terminated,
                    "truncated": truncated,
                    "priority": 1.0,
                }
            )
            observation, step = following, step + 1
        episode += 1
    env.close()
    return pa.Table.from_pylist(steps, schema=wire_schema(spec_of(name)))


@lru_cache
def spec_of(name: str) -> ArchiveSpec:
    """Return the archive's spec of an environment."""
    return spec_from_environment("audited", name)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else int(value)
