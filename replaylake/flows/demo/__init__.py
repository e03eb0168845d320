"""The demo: the whole way of experience, from an environment to a policy that learned from it."""

from replaylake.flows.demo.figures import FULL, Figures, Goal, Landed, Load, Played, Scores
from replaylake.flows.demo.stages import Audience, Part
from replaylake.flows.demo.story import run_demo

__all__ = ["FULL", "Audience", "Figures", "Goal", "Landed", "Load", "Part", "Played", "Scores", "run_demo"]
