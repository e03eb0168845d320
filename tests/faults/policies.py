"""The policies that acted: known, so that the propensity of every action is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.faults.arena import possible_thrusts

Array = NDArray[Any]


@dataclass(frozen=True)
class Softmax:
    """Choose among the possible actions by the softmax of `observation @ weights`."""

    weights: Array  # (elements, actions)
    possible: Callable[[Array], Array] | None = None  # (rows, actions) of observations; None for all

    def log_probs(self, observations: Array) -> Array:
        """Return the logarithm of the propensity of every action, (rows, actions)."""
        logits = observations.astype(np.float64) @ self.weights
        if self.possible is not None:
            logits = np.where(self.possible(observations), logits, -np.inf)
        logits = logits - logits.max(axis=1, keepdims=True)
        return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))

    def probabilities(self, observations: Array) -> Array:
        """Return the propensity of every action, (rows, actions)."""
        return np.asarray(np.exp(self.log_probs(observations)))

    def log_prob(self, observations: Array, actions: Array) -> Array:
        """Return the log propensity of the actions that were taken."""
        return np.asarray(self.log_probs(observations)[np.arange(len(actions)), actions.astype(np.int64)])

    def act(self, observation: Array, rng: np.random.Generator) -> int:
        """Choose an action."""
        chances = self.probabilities(observation[None])[0]
        return int(
            np.searchsorted(np.cumsum(chances), rng.random() * chances.sum()).clip(max=len(chances) - 1)
        )


@dataclass(frozen=True)
class Swing:
    """Push a pendulum along its motion until it has the energy to stand, with Gaussian noise."""

    strength: float = 1.2
    spread: float = 0.16

    def mean(self, observations: Array) -> Array:
        """Return the mean torque, (rows,)."""
        cosine, _, speed = observations.astype(np.float64).T
        lacking = 15.0 - (speed**2 / 6 + 5.0 * cosine + 5.0)
        return np.asarray(self.strength * np.tanh(speed + 0.3) * np.tanh(lacking / 5.0))

    def log_prob(self, observations: Array, actions: Array) -> Array:
        """Return the logarithm of the density of the torques that were chosen."""
        off = (actions.astype(np.float64).reshape(-1) - self.mean(observations)) / self.spread
        return np.asarray(-0.5 * off**2 - np.log(self.spread * np.sqrt(2 * np.pi)))

    def act(self, observation: Array, rng: np.random.Generator) -> Array:
        """Choose a torque."""
        return np.array([rng.normal(self.mean(observation[None])[0], self.spread)], np.float32)


BALANCE = Softmax(np.array([[0.0, 0.4], [0.0, 0.8], [0.0, 8.0], [0.0, 2.0]]))
SWING = Swing()
# To the goal, braking; the columns are stay, up, down, right, left.
HOMING = Softmax(
    np.array(
        [
            [0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0],
            [0, 0, 0, -6, 6],
            [0, -6, 6, 0, 0],
            [0, 0, 0, 10, -10],
            [0, 10, -10, 0, 0],
            [0, 0, 0, 0, 0],
        ],
        np.float64,
    ),
    possible_thrusts,
)
