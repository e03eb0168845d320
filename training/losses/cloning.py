"""Losses that imitate the actions in the data."""

from __future__ import annotations

from torch import Tensor


def cross_entropy(logits: Tensor, action: Tensor) -> Tensor:  # (..., B, A), (B,) -> (..., B)
    """Return -log pi(a|s), with pi the softmax of the logits.

        L(s, a) = logsumexp_b z(s, b) - z(s, a)

    The maximum-likelihood loss of behaviour cloning: Pomerleau, "Efficient Training of Artificial
    Neural Networks for Autonomous Navigation", Neural Computation 3(1), 1991.
    """
    chosen = logits.gather(-1, action.expand(logits.shape[:-1]).unsqueeze(-1)).squeeze(-1)
    return logits.logsumexp(-1) - chosen
