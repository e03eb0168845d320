"""Algorithms: one file each, and the table of their names."""

from training.algorithms.base import Algorithm, AlgorithmConfig, LearnerState, Metrics, make_network
from training.algorithms.registry import algorithms, find_algorithm, make_config

__all__ = [
    "Algorithm",
    "AlgorithmConfig",
    "LearnerState",
    "Metrics",
    "algorithms",
    "find_algorithm",
    "make_config",
    "make_network",
]
