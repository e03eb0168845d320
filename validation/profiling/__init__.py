"""The door of profiling: what experience is like, in figures, and the suite that they speak for."""

from validation.profiling.profile import Profile, profile_steps
from validation.profiling.proposal import propose_suite

__all__ = ["Profile", "profile_steps", "propose_suite"]
