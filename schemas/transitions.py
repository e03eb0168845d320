"""Transitions as columnar arrays: what the lake's reader hands to learners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.errors import StepsError


@dataclass(frozen=True, eq=False)
class Transitions:
    """Hold N transitions as contiguous arrays, ordered by (source, agent, episode, step).

    `follows[i]` says that row i + 1 is the next turn of the same agent in the same episode, so that
    n-step returns and sequences never cross an episode's end or a gap.
    """

    observation: NDArray[np.generic]  # (N, *observation_shape)
    action: NDArray[np.generic]  # (N,) for Discrete, (N, *action_shape) otherwise
    reward: NDArray[np.float32]  # (N,)
    next_observation: NDArray[np.generic]  # (N, *observation_shape); zeros where terminated without one
    terminated: NDArray[np.bool_]  # (N,)
    follows: NDArray[np.bool_]  # (N,)

    def __post_init__(self) -> None:
        lengths = {name: len(values) for name, values in vars(self).items()}
        if len(set(lengths.values())) != 1:
            raise StepsError(f"The arrays of transitions differ in length: {lengths}.")

    def __len__(self) -> int:
        return len(self.reward)
