"""Losses of Q-learning with discrete actions.

q is (..., B, A), action, reward and discount are (B,), and every result is (..., B): what comes before B,
such as the members of an ensemble, is kept apart.
"""

from __future__ import annotations

import torch
from torch import Tensor


def chosen_values(q: Tensor, action: Tensor) -> Tensor:
    """Return q(s, a) of the actions that were taken."""
    return q.gather(-1, action.expand(q.shape[:-1]).unsqueeze(-1)).squeeze(-1)


def double_q_target(reward: Tensor, discount: Tensor, next_online: Tensor, next_target: Tensor) -> Tensor:
    """Return the target of double Q-learning.

        y = R + D * Q_target(s', argmax_b Q_online(s', b))

    For n-step returns R is the sum of k discounted rewards and s' the state k steps on; D is gamma^k,
    and 0 where the episode terminated. Van Hasselt, Guez, Silver, "Deep Reinforcement Learning with
    Double Q-learning", AAAI 2016, equation 4.
    """
    return reward + discount * chosen_values(next_target, next_online.argmax(-1))


def huber(error: Tensor, delta: float = 1.0) -> Tensor:
    """Return the Huber loss of an error e.

        e^2 / 2                   where |e| <= delta
        delta * (|e| - delta/2)   elsewhere

    Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35(1), 1964.
    """
    size = error.abs()
    return torch.where(size <= delta, 0.5 * error.square(), delta * (size - 0.5 * delta))


def cql_regulariser(q: Tensor, action: Tensor) -> Tensor:
    """Return how far the soft maximum of q lies above the action in the data; never negative.

        logsumexp_b Q(s, b) - Q(s, a)

    Kumar, Zhou, Tucker, Levine, "Conservative Q-Learning for Offline Reinforcement Learning",
    NeurIPS 2020, equation 4 (CQL(H)) with the data's own actions for the second expectation.
    """
    return q.logsumexp(-1) - chosen_values(q, action)
