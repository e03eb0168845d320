"""The demo: the whole way of experience, from an environment to a policy that learned from it."""

from replaylake.flows.demo.figures import Figures, Goal, Landed, Load, Played, Scores
from replaylake.flows.demo.story import Audience, Part, run_demo

__all__ = ["Audience", "Figures", "Goal", "Landed", "Load", "Part", "Played", "Scores", "run_demo"]
