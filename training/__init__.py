"""Training: learners, the policies they give, and what those are worth."""

from training.algorithms import algorithms
from training.evaluation import Evaluation, evaluate
from training.policy import Policy
from training.train import fit, train

__all__ = ["Evaluation", "Policy", "algorithms", "evaluate", "fit", "train"]
