"""Expectations with their evidence, in words and in figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from validation.expectation import Expectation, Severity
from validation.profiling.figures import Figures

ENOUGH = 200  # rows that a rule on what never was, or on a few values, is taken of


def expectation(
    type_: str, evidence: str, seen: Mapping[str, Any], severity: Severity = "warning", **kwargs: Any
) -> Expectation:
    """Write a rule with what speaks for it in its `meta`."""
    return Expectation(type_, kwargs, severity, {"meta": {"evidence": evidence, "seen": dict(seen)}})


def seen_in(figures: Figures, episodes: int) -> str:
    """Say what was seen: `0.5 to 2 in 1000 values of 8 episodes`."""
    of = f"{episodes} episode{'' if episodes == 1 else 's'}"
    return f"{figures.least:.6g} to {figures.greatest:.6g} in {figures.finite} values of {of}"


def figures_of(figures: Figures) -> dict[str, Any]:
    """Return what was seen as JSON values."""
    return {"values": figures.finite, "min": figures.least, "max": figures.greatest}
