"""Play CartPole-v1 with a poor mixed policy whose propensities are known: real steps of the environment.

The mixture is poor on purpose, and its greedy parts lean the wrong way often enough that copying them is not
enough: a learner has to find out which of the actions were good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

ENV = "CartPole-v1"
RANDOM_EPISODES = 0.3  # the share of episodes that are played at random
WEIGHT_MEAN = np.array([0.0, 0.0, 1.0, -0.125])
WEIGHT_SPREAD = np.array([0.05, 0.05, 0.0, 0.1])
EPSILON = (0.3, 0.6)  # a controller's share of random actions, drawn per episode


class Row(NamedTuple):
    """One step as it was played."""

    episode: int
    step: int
    observation: NDArray[np.float32]  # (4,)
    action: int
    propensity: float  # of `action` under the policy that chose it
    reward: float
    next_observation: NDArray[np.float32]  # (4,), the final one of an episode included
    terminated: bool
    truncated: bool
    policy: str


@dataclass(frozen=True)
class Controller:
    """Push towards the sign of a weighted sum, but at random with probability `epsilon`; 1 is all random."""

    weights: tuple[float, float, float, float]
    epsilon: float

    @property
    def name(self) -> str:
        """What the steps of this controller are marked with."""
        return "random" if self.epsilon == 1.0 else "noisy-controller"

    def act(self, observation: NDArray[np.float32], draw: float) -> tuple[int, float]:
        """Choose by one uniform draw; return the action and its propensity."""
        x, x_dot, theta, theta_dot = observation.tolist()
        a, b, c, d = self.weights
        greedy = int(a * x + b * x_dot + c * theta + d * theta_dot > 0)
        follow = 1.0 - self.epsilon / 2
        return (greedy, follow) if draw < follow else (1 - greedy, 1.0 - follow)


def draw_controller(generator: np.random.Generator) -> Controller:
    """Draw one episode's controller from the mixture."""
    if generator.random() < RANDOM_EPISODES:
        return Controller((0.0, 0.0, 1.0, 0.0), epsilon=1.0)
    weights = generator.normal(WEIGHT_MEAN, WEIGHT_SPREAD).tolist()
    return Controller((weights[0], weights[1], weights[2], weights[3]), generator.uniform(*EPSILON))


def play(steps: int = 50_000, seed: int = 0) -> Iterator[Row]:
    """Yield exactly `steps` rows; the last episode is truncated where the count ends."""
    generator = np.random.default_rng(seed)
    env = gymnasium.make(ENV, disable_env_checker=True)
    played = episode = 0
    try:
        while played < steps:
            controller = draw_controller(generator)
            for row in _episode(env, controller, generator, int(generator.integers(2**31)), episode):
                played += 1
                if played == steps:
                    yield row._replace(truncated=row.truncated or not row.terminated)
                    return
                yield row
            episode += 1
    finally:
        env.close()


def play_whole(seeds: Sequence[int], seed: int) -> tuple[float, ...]:
    """Play a whole episode from each of the environment's seeds, and return what each returned.

    Every episode has a controller of its own, drawn by `seed` from the mixture.
    """
    generator = np.random.default_rng(seed)
    env = gymnasium.make(ENV, disable_env_checker=True)
    try:
        return tuple(
            sum(row.reward for row in _episode(env, draw_controller(generator), generator, start, number))
            for number, start in enumerate(seeds)
        )
    finally:
        env.close()


def _episode(
    env: gymnasium.Env[Any, Any],
    controller: Controller,
    generator: np.random.Generator,
    start: int,
    episode: int,
) -> Iterator[Row]:
    observation, _ = env.reset(seed=start)
    step, over = 0, False
    while not over:
        action, propensity = controller.act(observation, generator.random())
        following, reward, terminated, truncated, _ = env.step(action)
        over = terminated or truncated
        yield Row(
            episode,
            step,
            observation,
            action,
            propensity,
            float(reward),
            following,
            terminated,
            truncated,
            controller.name,
        )
        observation, step = following, step + 1
