"""n-step returns against a slow reference, at every kind of episode end."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.transitions import Transitions
from tests.training.samples import transitions
from training.data import n_step

ENDS = ("terminated", "truncated", "gap", "incomplete")


def reference(data: Transitions, n: int, gamma: float, row: int) -> tuple[float, float, int, int]:
    """Sum step by step: return, bootstrap discount, last row, steps."""
    total, step = 0.0, 0
    while True:
        total += gamma**step * float(data.reward[row + step])
        last = row + step
        step += 1
        if data.terminated[last]:
            return total, 0.0, last, step
        if step == n or not data.follows[last]:
            return total, gamma**step, last, step


@st.composite
def episodes(draw: st.DrawFn) -> Transitions:
    """Draw episodes of every end; all but a terminated one read as: nothing follows, and not terminated."""
    parts = draw(st.lists(st.tuples(st.integers(1, 7), st.sampled_from(ENDS)), min_size=1, max_size=6))
    count = sum(length for length, _ in parts)
    rewards = draw(st.lists(st.floats(-10, 10, width=32), min_size=count, max_size=count))
    terminated: list[bool] = []
    follows: list[bool] = []
    for length, end in parts:
        terminated += [False] * (length - 1) + [end == "terminated"]
        follows += [True] * (length - 1) + [False]
    return transitions(rewards, terminated=terminated, follows=follows)


@settings(max_examples=150, deadline=None)
@given(episodes(), st.integers(1, 9), st.sampled_from([0.0, 0.5, 0.98, 1.0]))
def test_agrees_with_the_slow_reference(data: Transitions, n: int, gamma: float) -> None:
    found = n_step(data, n, gamma)
    for row in range(len(data)):
        total, discount, last, steps = reference(data, n, gamma, row)
        assert math.isclose(found.reward[row], total, rel_tol=1e-6, abs_tol=1e-5)
        assert math.isclose(found.discount[row], discount, rel_tol=1e-6)
        assert (found.last[row], found.steps[row]) == (last, steps)


def test_by_hand_at_a_terminated_and_a_truncated_end() -> None:
    data = transitions(
        [1, 2, 4, 8, 16, 32],
        terminated=[False, False, True, False, False, False],
        follows=[True, True, False, True, True, False],
    )
    found = n_step(data, 2, 0.5)
    assert found.reward.tolist() == [2, 4, 4, 16, 32, 32]
    # terminated: no bootstrap; truncated: from the last observation there is, by the horizon really summed
    assert found.discount.tolist() == [0.25, 0, 0, 0.25, 0.25, 0.5]
    assert found.last.tolist() == [1, 2, 2, 4, 5, 5]
    assert found.steps.tolist() == [2, 2, 1, 2, 2, 1]


def test_one_step_is_the_transition_itself() -> None:
    data = transitions([1, 2, 3], terminated=[False, False, True], follows=[True, True, False])
    found = n_step(data, 1, 0.9)
    assert np.array_equal(found.reward, data.reward)
    assert np.allclose(found.discount, [0.9, 0.9, 0])
    assert found.last.tolist() == [0, 1, 2]


def test_a_terminated_row_ends_the_sum_whatever_is_said_to_follow() -> None:
    data = transitions([1, 2], terminated=[True, False], follows=[True, True])
    found = n_step(data, 5, 1.0)
    assert found.reward.tolist() == [1, 2]
    assert found.discount.tolist() == [0, 1]


def test_a_long_horizon_costs_no_more_than_the_longest_episode() -> None:
    data = transitions([1, 1], terminated=[False, True], follows=[True, False])
    assert n_step(data, 10**9, 1.0).reward.tolist() == [2, 1]


def test_no_rows_give_no_rows() -> None:
    assert len(n_step(transitions([], terminated=[], follows=[]), 3, 0.9).reward) == 0


def test_a_return_of_no_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="n is 0"):
        n_step(transitions([1], terminated=[True], follows=[False]), 0, 0.9)
