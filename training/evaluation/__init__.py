"""Evaluation: what a policy is worth."""

from training.evaluation.rollouts import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
