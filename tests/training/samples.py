"""Transitions for the tests: a chain whose best actions are known, and arrays made from plain rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from schemas.spaces import Box, Discrete
from schemas.transitions import Transitions

CHAIN = 5  # states 0 to 4; stepping right from the last one ends the episode with reward 1
CHAIN_OBSERVATION = Box(shape=(2,))
CHAIN_ACTION = Discrete(n=2, start=10)
LEFT, RIGHT = 10, 11


def transitions(
    rewards: Sequence[float], *, terminated: Sequence[bool], follows: Sequence[bool]
) -> Transitions:
    """Return rows of one feature, the row's own number; the next observation is the number after it."""
    numbers = np.arange(len(rewards), dtype=np.float32)[:, None]
    return Transitions(
        observation=numbers,
        action=np.zeros(len(rewards), dtype=np.int64),
        reward=np.asarray(rewards, dtype=np.float32),
        next_observation=numbers + 1,
        terminated=np.asarray(terminated, dtype=bool),
        follows=np.asarray(follows, dtype=bool),
    )


def observe(states: Sequence[int]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return the observation of each state of the chain: its place, and the square of it."""
    place = np.asarray(states, dtype=np.float32) / (CHAIN - 1)
    return np.stack([place, place**2], axis=1)


def chain(repeats: int = 20) -> Transitions:
    """Return every state with LEFT three times as often as RIGHT: who copies goes left for ever.

    LEFT steps back and pays nothing; RIGHT steps on. Rows are single steps: none follows another.
    """
    rows = [(state, action) for state in range(CHAIN) for action in (LEFT, LEFT, LEFT, RIGHT)] * repeats
    states = [state for state, _ in rows]
    following = [max(state - 1, 0) if action == LEFT else state + 1 for state, action in rows]
    ends = np.array([state == CHAIN for state in following])
    return Transitions(
        observation=observe(states),
        action=np.array([action for _, action in rows]),
        reward=ends.astype(np.float32),
        next_observation=np.where(ends[:, None], 0, observe(following)).astype(np.float32),
        terminated=ends,
        follows=np.zeros(len(rows), dtype=bool),
    )


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Compare in float32; torch's own comparison imports its compiler, which takes seconds."""
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
