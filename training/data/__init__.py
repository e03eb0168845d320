"""What learners read: prepared columns, n-step returns and samplers."""

from schemas.transitions import NStep
from training.data.n_step import n_step
from training.data.prepare import Normaliser, Prepared, prepare
from training.data.samplers import UniformSampler

__all__ = ["NStep", "Normaliser", "Prepared", "UniformSampler", "n_step", "prepare"]
