"""Reach: how far beyond what a sample shows clean values of the same source may go."""

from __future__ import annotations

import math

_ALWAYS = 0.05  # of the range that was seen,
_OF_EPISODES = 1.0  # and so much of it over the root of the number of episodes: few have not been everywhere
_ROUNDING = 1e-6  # of a number that never changes


def reach(least: float, first: float, last: float, greatest: float, episodes: int) -> tuple[float, float]:
    """Return how low and how high clean values may go, from a sample's extremes and its 1% and 99% quantiles.

    Beyond each end there is room for what the outermost hundredth spans, so that a heavy tail may go on, and
    for a share of the range. A number that never changed has room for rounding only.
    """
    if least == greatest:
        room = _ROUNDING * max(1.0, abs(least))
        return least - room, greatest + room
    room = (greatest - least) * (_ALWAYS + _OF_EPISODES / math.sqrt(max(1, episodes)))
    return least - room - (first - least), greatest + room + (greatest - last)
