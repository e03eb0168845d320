"""Inferring: look at a file, and propose the mapping, the spec and the suite for it."""

from replaylake.flows.inferring.proposal import Proposal, infer

__all__ = ["Proposal", "infer"]
