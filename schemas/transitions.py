"""Transitions as columnar arrays: what the lake's reader hands to learners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    discount: NDArray[np.float32] | None = None  # (N,): what the log says of each; None: 1 everywhere

    def __post_init__(self) -> None:
        lengths = {name: len(values) for name, values in vars(self).items() if values is not None}
        if len(set(lengths.values())) != 1:
            raise StepsError(f"The arrays of transitions differ in length: {lengths}.")

    def __len__(self) -> int:
        return len(self.reward)


@dataclass(frozen=True, eq=False)
class NStep:
    """Hold, for each row t of N transitions, what its n-step target is made of."""

    reward: NDArray[np.float64]  # (N,): r_t + gamma r_t+1 + ... over `steps` rewards
    discount: NDArray[np.float32]  # (N,): gamma**steps, or 0 where the last of these rows terminated
    last: NDArray[np.int64]  # (N,): the row whose next_observation the target bootstraps from
    steps: NDArray[np.int64]  # (N,): how many rewards were summed, from 1 to n


def n_step_returns(
    reward: NDArray[Any],  # (N,)
    terminated: NDArray[np.bool_],  # (N,)
    follows: NDArray[np.bool_],  # (N,)
    discount: NDArray[np.float32] | None,  # (N,); None: 1 everywhere
    n: int,
    gamma: float,
) -> NStep:
    """Sum up to n rewards of each row and the rows that follow it.

        R_t = sum_{j<k} G_j r_{t+j},    target = R_t + G_k V(s_{t+k}),    G_j = prod_{i<j} gamma d_{t+i}

    d is what the log says of how the future counts at each step, 1 where it says nothing. k is n, or less
    where the episode ends or has a gap before that: a truncated or broken-off episode bootstraps from the
    last observation it has, with the horizon really summed. A terminated one does not bootstrap.
    Sutton and Barto, "Reinforcement Learning: An Introduction", 2nd edition, 7.1.
    """
    if n < 1:
        raise ValueError(f"n is {n}; a return has at least one step")
    rows = len(reward)
    goes_on = follows & ~terminated
    goes_on[-1:] = False  # no row follows the last one, whatever it says
    counts = np.full(rows, gamma) if discount is None else gamma * discount.astype(np.float64)
    total = reward.astype(np.float64)
    last = np.arange(rows)
    steps = np.ones(rows, dtype=np.int64)
    weight = counts.copy()
    summing = goes_on.copy()
    for _ in range(1, n):
        if not summing.any():
            break
        last = last + summing
        steps += summing
        total += np.where(summing, weight * reward[last], 0.0)
        weight = np.where(summing, weight * counts[last], weight)
        summing = summing & goes_on[last]
    return NStep(total, np.where(terminated[last], 0.0, weight).astype(np.float32), last, steps)
