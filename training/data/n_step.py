"""n-step returns that never cross the end of an episode, nor a gap in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.transitions import Transitions


@dataclass(frozen=True, eq=False)
class NStep:
    """Hold, for each row t of N transitions, what its n-step target is made of."""

    reward: NDArray[np.float64]  # (N,): r_t + gamma r_t+1 + ... over `steps` rewards
    discount: NDArray[np.float32]  # (N,): gamma**steps, or 0 where the last of these rows terminated
    last: NDArray[np.int64]  # (N,): the row whose next_observation the target bootstraps from
    steps: NDArray[np.int64]  # (N,): how many rewards were summed, from 1 to n


def n_step(transitions: Transitions, n: int, gamma: float) -> NStep:
    """Sum up to n rewards of each row and the rows that follow it.

        R_t = sum_{j<k} gamma^j r_{t+j},    target = R_t + gamma^k V(s_{t+k})

    k is n, or less where the episode ends or has a gap before that: a truncated or broken-off episode
    bootstraps from the last observation it has, with the horizon really summed. A terminated one does
    not bootstrap. Sutton and Barto, "Reinforcement Learning: An Introduction", 2nd edition, 7.1.
    """
    if n < 1:
        raise ValueError(f"n is {n}; a return has at least one step")
    rows = len(transitions)
    goes_on = transitions.follows & ~transitions.terminated
    goes_on[-1:] = False  # no row follows the last one, whatever it says
    reward = transitions.reward.astype(np.float64)
    last = np.arange(rows)
    steps = np.ones(rows, dtype=np.int64)
    summing = goes_on.copy()
    for j in range(1, n):
        if not summing.any():
            break
        last = last + summing
        steps += summing
        reward += np.where(summing, gamma**j * transitions.reward[last], 0.0)
        summing = summing & goes_on[last]
    discount = np.where(transitions.terminated[last], 0.0, np.power(gamma, steps))
    return NStep(reward, discount.astype(np.float32), last, steps)
