"""Losses: pure functions of tensors, each with its equation and its source."""

from training.losses.cloning import cross_entropy
from training.losses.q_learning import chosen_values, cql_regulariser, double_q_target, huber

__all__ = ["chosen_values", "cql_regulariser", "cross_entropy", "double_q_target", "huber"]
