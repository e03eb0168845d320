"""A small world of three agents, in the way of PettingZoo's parallel API: each has a goal of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

AGENTS = ("red", "green", "blue")
THRUSTS = np.array([[0, 0], [0, 1], [0, -1], [1, 0], [-1, 0]], np.float64)  # stay, up, down, right, left
_TURNS = 28
_REACH = 0.15
_WALL = 0.9  # beyond it no thrust to the wall is possible

Observations = dict[str, NDArray[np.float32]]


class Arena:
    """Hold the positions, velocities and goals of the agents; an episode ends when all are at their goals."""

    possible_agents = AGENTS

    def __init__(self, drag: float = 0.85) -> None:
        self._drag = drag
        self._place = self._speed = self._goal = np.zeros((len(AGENTS), 2))
        self._turn = 0
        self._random = np.random.default_rng(0)

    def observation_space(self, agent: str) -> gymnasium.spaces.Box:
        """Return the space: place, velocity, way to the goal, and the distance of the nearest other agent."""
        high = np.array([1, 1, 1, 1, 2, 2, 3], np.float32)
        return gymnasium.spaces.Box(np.append(-high[:-1], np.float32(0)), high)

    def action_space(self, agent: str) -> gymnasium.spaces.Discrete:
        """Return the space of the thrusts."""
        return gymnasium.spaces.Discrete(len(THRUSTS))

    def reset(self, seed: int) -> Observations:
        """Put the agents and their goals somewhere."""
        self._random = np.random.default_rng(seed)
        self._place = self._random.uniform(-0.8, 0.8, (len(AGENTS), 2))
        self._goal = self._random.uniform(-0.8, 0.8, (len(AGENTS), 2))
        self._speed = np.zeros((len(AGENTS), 2))
        self._turn = 0
        return self._observe()

    def step(self, actions: Mapping[str, Any]) -> tuple[Observations, dict[str, float], bool, bool]:
        """Move all agents at once; return observations, rewards, and whether it ended or ran out of turns."""
        thrust = THRUSTS[[actions[agent] for agent in AGENTS]]
        self._speed = self._drag * self._speed + 0.02 * thrust + self._random.normal(0, 0.002, thrust.shape)
        far = self._distance()
        place = self._place + self._speed
        self._place = np.clip(place, -1, 1)
        self._speed[place != self._place] = 0.0
        self._turn += 1
        near = self._distance()
        rewards = 10 * (far - near) - 0.05 + (near < _REACH)
        ended = bool((near < _REACH).all())
        earned = dict(zip(AGENTS, rewards.tolist(), strict=True))
        return self._observe(), earned, ended, self._turn >= _TURNS and not ended

    def _distance(self) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(self._goal - self._place, axis=1))

    def _observe(self) -> Observations:
        apart = np.linalg.norm(self._place[:, None] - self._place[None], axis=2)
        np.fill_diagonal(apart, np.inf)
        rows = np.column_stack([self._place, self._speed, self._goal - self._place, apart.min(axis=1)])
        return dict(zip(AGENTS, rows.astype(np.float32), strict=True))


def possible_thrusts(observations: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which thrusts are possible, (rows, thrusts): none to a wall that is near."""
    return np.asarray(observations[:, :2] @ THRUSTS.T <= _WALL)


def speed_of(observation: NDArray[Any]) -> float:
    """Return what the extra column `speed` holds."""
    return float(np.hypot(observation[2], observation[3]))
