"""Bulk reading of long episodes of many numbers: the shape of HalfCheetah, with values of a random walk."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from .lake_episodes import Game
from .lake_read import read_benchmark

_NUMBERS, _JOINTS, _LONGEST = 17, 6, 1000


class _Walk(gymnasium.Env[NDArray[np.float64], NDArray[np.float32]]):
    """Walk at random in as many directions as HalfCheetah has, until time is over."""

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (_NUMBERS,), np.float64)
        self.action_space = gymnasium.spaces.Box(-1, 1, (_JOINTS,), np.float32)
        self._place = np.zeros(_NUMBERS)
        self._turns = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Begin somewhere."""
        super().reset(seed=seed)
        self._place = self.np_random.normal(0, 0.1, _NUMBERS)
        self._turns = 0
        return self._place, {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Go on, for the most part at random."""
        push = float(action.mean())
        self._place = 0.95 * self._place + self.np_random.normal(push, 1, _NUMBERS)
        self._turns += 1
        return self._place, float(self._place[0]), False, self._turns == _LONGEST, {}


def _move(env: gymnasium.Env[Any, Any], random: np.random.Generator) -> tuple[Any, float]:
    return random.uniform(-1, 1, _JOINTS).astype(np.float32), 0.5**_JOINTS


WIDE = Game("wide", 1_000, _Walk, _move)
BENCHMARK = read_benchmark(WIDE, "lake-read-wide", "a million steps of 17 float64 and 6 float32")
