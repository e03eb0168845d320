"""Margins: how far beyond what a sample reached clean experience of the same source may go."""

from __future__ import annotations

import math
from typing import NamedTuple

from schemas.spaces import Box, Space
from validation.audits.reach import reach
from validation.profiling.figures import Figures

FEWEST = 30  # values that bounds are taken of


class Range(NamedTuple):
    """Hold a least and a greatest value; None where an end is open."""

    low: float | None
    high: float | None


OPEN = Range(None, None)


def bounds_of(figures: Figures, episodes: int) -> Range:
    """Return bounds that clean values of the same source pass less than once in a thousand rows."""
    if figures.finite < FEWEST or figures.least is None or figures.greatest is None:
        return OPEN
    quantiles = figures.quantiles or {}
    low, high = reach(figures.least, quantiles["0.01"], quantiles["0.99"], figures.greatest, episodes)
    if not (math.isfinite(low) and math.isfinite(high)):
        return OPEN
    return Range(low, high) if figures.least == figures.greatest else Range(_short(low), _short(high))


def within_space(bounds: Range, space: Space | None, element: int) -> tuple[Range, bool]:
    """Keep bounds inside those of the space, and say whether they still say more than these do."""
    if not isinstance(space, Box):
        return bounds, bounds != OPEN
    low, high = (bound[element] if isinstance(bound, tuple) else bound for bound in (space.low, space.high))
    cut = Range(
        None if bounds.low is None else max(bounds.low, low),
        None if bounds.high is None else min(bounds.high, high),
    )
    return cut, (cut.low is not None and cut.low > low) or (cut.high is not None and cut.high < high)


def _short(number: float) -> float:
    return float(f"{number:.6g}")
