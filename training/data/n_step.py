"""n-step returns that never cross the end of an episode, nor a gap in it."""

from __future__ import annotations

from schemas.transitions import NStep, Transitions, n_step_returns


def n_step(transitions: Transitions, n: int, gamma: float) -> NStep:
    """Sum up to n rewards of each row and the rows that follow it; see `n_step_returns`."""
    return n_step_returns(
        transitions.reward, transitions.terminated, transitions.follows, transitions.discount, n, gamma
    )
