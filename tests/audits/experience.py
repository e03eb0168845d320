"""Experience for the tests of audits: what noisy policies did in Gymnasium, always the same."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.environments import spec_from_environment
from schemas.step import wire_schema

Floats = NDArray[np.float64]
SPREAD = 0.15  # of the actions of a continuous policy, which stay within three of them
_INSIDE = 0.9973002  # the share of a normal distribution that lies there


@dataclass(frozen=True)
class Played:
    """Hold steps, their spec, and the policy that acted, as `check_propensities` takes it."""

    steps: pa.Table
    spec: ArchiveSpec
    policy: Callable[..., Floats]


def softmax(scores: Floats) -> Floats:
    """Return the probabilities of actions."""
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def balance(observations: Floats) -> Floats:
    """Return probabilities of pushing a pole left and right."""
    lean = observations @ np.array([0.0, 0.1, 2.0, 0.5])
    return softmax(np.stack([-lean, lean], axis=1))


def swing(observations: Floats) -> Floats:
    """Return probabilities of turning an acrobot's joint, with its swing."""
    speed = observations[:, 4]
    return softmax(np.stack([-speed, np.zeros_like(speed), speed], axis=1))


def torque(observations: Floats) -> Floats:
    """Return the mean torque on a pendulum."""
    return np.clip(-2.0 * observations[:, 1:2] - 0.5 * observations[:, 2:3], -1.0, 1.0)


def push(observations: Floats) -> Floats:
    """Return the mean force on a car in a valley: with its speed."""
    return np.sign(observations[:, 1:2]) * 0.5


def near(mean: Callable[[Floats], Floats]) -> Callable[..., Floats]:
    """Make a policy of a mean action: log densities of actions around it."""

    def log_densities(observations: Floats, actions: Floats) -> Floats:
        off = (actions - mean(observations)) / SPREAD
        logs = -0.5 * off**2 - np.log(SPREAD * np.sqrt(2 * np.pi) * _INSIDE)
        return np.asarray(logs.sum(1))

    return log_densities


POLICIES: dict[str, Any] = {
    "CartPole-v1": balance,
    "Acrobot-v1": swing,
    "Pendulum-v1": torque,
    "MountainCarContinuous-v0": push,
}


@functools.cache
def played(environment: str, rows: int, seed: int = 0) -> Played:
    """Play an environment for so many steps."""
    env = gymnasium.make(environment)
    spec = spec_from_environment(environment.split("-")[0].lower(), env)
    rng = np.random.default_rng(seed)
    choose = POLICIES[environment]
    discrete = isinstance(env.action_space, gymnasium.spaces.Discrete)
    spec = spec.model_copy(update={"propensity": "mass" if discrete else "density"})
    policy = choose if discrete else near(choose)
    held: dict[str, list[Any]] = {name: [] for name in wire_schema(spec).names}
    episode, turn = 0, 0
    observation, _ = env.reset(seed=seed)
    for _ in range(rows):
        seen = observation[None].astype(np.float64)
        if discrete:
            chances = choose(seen)[0]
            action: Any = int(rng.choice(len(chances), p=chances))
            log_prob = float(np.log(chances[action]))
        else:
            mean = choose(seen)[0]
            action = np.float32(mean + SPREAD * _within_three(rng, mean.shape))
            log_prob = float(policy(seen, action[None])[0])
        following, reward, terminated, truncated, _ = env.step(action)
        step = {
            "source": "test",
            "agent_id": "a",
            "episode_id": f"{seed}-{episode}",
            "step": turn,
            "observation": observation.tolist(),
            "action": action if discrete else action.tolist(),
            "action_log_prob": log_prob,
            "reward": float(reward),
            "next_observation": following.tolist(),
            "terminated": terminated,
            "truncated": truncated,
            "policy_version": "v1",
            "priority": 1.0,
        }
        for name, values in held.items():
            values.append(step.get(name))
        observation, turn = following, turn + 1
        if terminated or truncated:
            observation, _ = env.reset()
            episode, turn = episode + 1, 0
    env.close()
    return Played(pa.table(held, wire_schema(spec)), spec, policy)


def with_elements(steps: pa.Table, column: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> pa.Table:
    """Change a column of vectors as one array of shape (rows, elements)."""
    type_ = steps.schema.field(column).type
    held = np.array(steps[column].to_pylist(), np.float32)
    return steps.set_column(
        steps.schema.get_field_index(column), column, pa.array(change(held).tolist(), type_)
    )


def with_values(steps: pa.Table, column: str, values: Any) -> pa.Table:
    """Put other values into a column."""
    field = steps.schema.field(column)
    return steps.set_column(steps.schema.get_field_index(column), field, pa.array(values, field.type))


def _within_three(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    drawn = rng.standard_normal(shape)
    while (far := np.abs(drawn) > 3).any():
        drawn[far] = rng.standard_normal(int(far.sum()))
    return drawn
