"""Scales: how far a number lies from where the others are, in units of how far they lie apart.

The two sides of a distribution have scales of their own, for clean experience is skewed: cos(theta) of a
pendulum that stands ends at 1, and has a long tail below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Univariate = Literal["mad", "zscore", "iqr"]

# Of a normal distribution: what share of a side lies nearer, and how many standard deviations that is.
_HALF = (0.5, 0.67449)
_MOST = (0.85, 1.43953)
_NEXT = 0.5672  # as of the mad: from the 75% to the 92.5% quantile, in interquartile ranges
_OF_MEAN_DEVIATION = 1.2533  # times the mean absolute deviation is the standard deviation
_ROUNDING = 1e-6

# In units of each method. Clean rows of four control tasks reach 19.5, 17.0 and 8.1: see docs/audits.md.
_THRESHOLDS: dict[Univariate, float] = {"mad": 25.0, "zscore": 20.0, "iqr": 10.0}
# With a reference the cut is so many times what the reference itself reaches on that side, but no less than:
_MARGIN = 1.5
_FLOOR = 5.0

_FEWEST = 30  # values that a scale is taken of
_HABIT = (0.001, 5)  # a value that so large a share of rows have exactly, and so many, is a habit
_RAREST = 0.01  # a fallback scale knows outliers only where they are rarer than this


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Hold what was found of each row: its score, whether it is an outlier, and the lowest cut there was."""

    scores: Numbers  # NaN where nothing was judged
    mask: NDArray[np.bool_]
    threshold: float


def judge_values(
    values: Numbers,
    reference: Numbers | None,
    method: Univariate,
    threshold: float | None,
    groups: NDArray[np.bool_],
    reference_groups: NDArray[np.bool_],
    *,
    habits: bool = False,
) -> Judged:
    """Score values by their own scale or by that of a reference, apart for the two groups.

    With `habits`, a value that many rows have exactly, such as a bonus, is no outlier without a reference; so
    it is in any column where most rows have such values.
    """
    scores, mask = np.full(len(values), np.nan), np.zeros(len(values), np.bool_)
    lowest = np.inf
    for group in (False, True):
        chosen = np.flatnonzero((groups == group) & np.isfinite(values))
        source = values[chosen]
        if reference is not None:
            source = reference[(reference_groups == group) & np.isfinite(reference)]
        if len(chosen) == 0 or len(source) < _FEWEST:
            continue
        scale = scale_of(source, method)
        usual = _THRESHOLDS[method] if threshold is None else threshold
        cuts = [usual, usual]
        if reference is not None and threshold is None:
            cuts = [max(_FLOOR, _MARGIN * float(side.max())) for side in scale.score(source)]
        sides = scale.score(values[chosen])
        far = (sides[0] > cuts[0]) | (sides[1] > cuts[1])
        if reference is None:
            if scale.is_constant:
                far[:] = False
            elif far.any():
                far &= ~_habitual(source, always=habits)
                if scale.is_fallback and far.sum() > _RAREST * len(source):
                    far[:] = False
        scores[chosen], mask[chosen] = np.maximum(*sides), far
        lowest = min(lowest, *cuts)
    return Judged(scores, mask, lowest if np.isfinite(lowest) else _THRESHOLDS[method])


def _habitual(values: Numbers, *, always: bool) -> NDArray[np.bool_]:
    """Say which values are ones that many rows have; none where such rows are few in the column."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    share, fewest = _HABIT
    often = np.asarray(counts[places] >= max(fewest, share * len(values)))
    return often if always or often.mean() > 0.5 else np.zeros(len(values), np.bool_)


@dataclass(frozen=True, slots=True)
class Scale:
    """Measure the distance beyond `low` and `high`; a unit of 0 means that nothing may lie there."""

    low: float
    high: float
    below: float
    above: float
    is_fallback: bool = False  # the usual measure of spread was 0 on a side: the mean deviation stands in

    @property
    def is_constant(self) -> bool:
        """Say whether the values that it was taken of were all the same."""
        return self.below == 0 and self.above == 0

    def score(self, values: Numbers) -> tuple[Numbers, Numbers]:
        """Return how many units each value lies below, and above; 0 where it does not, NaN for NaN."""
        return (
            _units(self.low - values, self.below, abs(self.low)),
            _units(values - self.high, self.above, abs(self.high)),
        )


def scale_of(values: Numbers, method: Univariate) -> Scale:
    """Take the scale of finite values, at least one."""
    return _SCALES[method](values)


def _mad(values: Numbers) -> Scale:
    """Take the median, and of each side its median distance from it, or what 85% of the side stays within.

    The second, on the scale of a normal distribution, holds against heavy tails; a side may be wrong in up to
    15% of its rows.
    """
    middle = float(np.median(values))
    below, above = middle - values[values <= middle], values[values >= middle] - middle
    return _with_fallback(values, middle, middle, _spread(below), _spread(above))


def _zscore(values: Numbers) -> Scale:
    mean, deviation = float(values.mean()), float(values.std())
    if deviation <= _ROUNDING * abs(mean):  # a constant's deviation is what rounding leaves of it
        mean, deviation = float(np.median(values)), 0.0
    return Scale(mean, mean, deviation, deviation)


def _iqr(values: Numbers) -> Scale:
    """Take the quartiles and what lies between them, or more of a side whose next 35% span more."""
    least, first, third, most = (float(edge) for edge in np.quantile(values, (0.075, 0.25, 0.75, 0.925)))
    below, above = ((first - least) / _NEXT, (most - third) / _NEXT)
    return _with_fallback(values, first, third, max(third - first, below), max(third - first, above))


_SCALES: dict[Univariate, Callable[[Numbers], Scale]] = {"mad": _mad, "zscore": _zscore, "iqr": _iqr}


def _spread(distances: Numbers) -> float:
    half, most = np.quantile(distances, (_HALF[0], _MOST[0]))
    return float(max(half / _HALF[1], most / _MOST[1]))


def _with_fallback(values: Numbers, low: float, high: float, below: float, above: float) -> Scale:
    if below > 0 and above > 0:
        return Scale(low, high, below, above)
    deviation = _OF_MEAN_DEVIATION * float(np.abs(values - np.median(values)).mean())
    return Scale(low, high, below or deviation, above or deviation, is_fallback=deviation > 0)


def _units(distances: Numbers, unit: float, size: float) -> Numbers:
    if unit > 0:
        units: Numbers = np.maximum(distances, 0.0) / unit
        return units
    beyond = np.where(distances > _ROUNDING * max(1.0, size), np.inf, 0.0)
    return np.where(np.isnan(distances), np.nan, beyond)
