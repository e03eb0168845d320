"""The losses, by numbers worked out by hand and by identities."""

from __future__ import annotations

import math

import pytest
import torch

from tests.training.samples import assert_close
from training.losses import chosen_values, cql_regulariser, cross_entropy, double_q_target, huber

Q = torch.tensor([[1.0, 3.0, 2.0], [0.0, -1.0, 0.5]])
ACTION = torch.tensor([2, 1])


def test_chosen_values_are_those_of_the_actions() -> None:
    assert chosen_values(Q, ACTION).tolist() == [2.0, -1.0]


def test_double_q_target_chooses_online_and_values_by_the_target() -> None:
    online = torch.tensor([[1.0, 2.0], [5.0, 4.0], [0.0, 9.0]])
    target = torch.tensor([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]])
    reward, discount = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 0.9, 0.0])
    # 1 + 0.5 * 20; 2 + 0.9 * 30, though 40 is larger; a discount of 0 leaves the reward
    assert double_q_target(reward, discount, online, target).tolist() == [11.0, 29.0, 3.0]


def test_double_q_target_is_the_plain_maximum_where_both_networks_agree() -> None:
    reward, discount = torch.tensor([1.0, 1.0]), torch.tensor([0.5, 0.5])
    expected = reward + discount * Q.max(-1).values
    assert torch.equal(double_q_target(reward, discount, Q, Q), expected)


def test_huber_is_square_within_delta_and_straight_beyond() -> None:
    error = torch.tensor([0.0, 0.5, -1.0, 2.0, -4.0])
    assert huber(error).tolist() == [0.0, 0.125, 0.5, 1.5, 3.5]
    assert huber(error, delta=2.0).tolist() == [0.0, 0.125, 0.5, 2.0, 6.0]  # 2 * (4 - 1) = 6


def test_huber_is_that_of_torch() -> None:
    error = torch.linspace(-3, 3, 25)
    for delta in (0.3, 1.0, 2.5):
        expected = torch.nn.functional.huber_loss(error, torch.zeros(25), reduction="none", delta=delta)
        assert_close(huber(error, delta), expected)


def test_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]])
    # the second row has the probabilities 3/4 and 1/4
    expected = torch.tensor([math.log(2.0), math.log(4.0)])
    assert_close(cross_entropy(logits, torch.tensor([0, 1])), expected)


def test_cql_regulariser_by_hand() -> None:
    q = torch.tensor([[0.0, math.log(3.0)], [5.0, 5.0]])
    # log(1 + 3) - 0, and log(2 e^5) - 5
    expected = torch.tensor([math.log(4.0), math.log(2.0)])
    assert_close(cql_regulariser(q, torch.tensor([0, 1])), expected)


def test_cql_regulariser_is_the_cross_entropy_of_the_softmax_of_q() -> None:
    assert torch.equal(cql_regulariser(Q, ACTION), cross_entropy(Q, ACTION))


def test_cql_regulariser_does_not_see_a_constant_added_to_q_and_is_never_negative() -> None:
    assert_close(cql_regulariser(Q + 7.0, ACTION), cql_regulariser(Q, ACTION))
    assert bool((cql_regulariser(Q, ACTION) >= 0).all())


def test_the_gradient_of_the_cql_regulariser_is_softmax_minus_one_hot() -> None:
    q = Q.clone().requires_grad_()
    cql_regulariser(q, ACTION).sum().backward()  # type: ignore[no-untyped-call]
    expected = Q.softmax(-1) - torch.nn.functional.one_hot(ACTION, 3)
    assert q.grad is not None
    assert_close(q.grad, expected)


@pytest.mark.parametrize("members", [1, 4])
def test_members_of_an_ensemble_are_kept_apart(members: int) -> None:
    stacked = torch.stack([Q + 0.1 * member for member in range(members)])
    for loss in (chosen_values, cql_regulariser, cross_entropy):
        each = torch.stack([loss(q, ACTION) for q in stacked])
        assert torch.equal(loss(stacked, ACTION), each)
    reward, discount = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.9])
    each = torch.stack([double_q_target(reward, discount, q, -q) for q in stacked])
    assert torch.equal(double_q_target(reward, discount, stacked, -stacked), each)
