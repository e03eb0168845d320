"""How often each whole number comes, and quantiles of any numbers from how often their bins come.

The bins are those of DDSketch (Masson, Rim, Lee, 2019): their borders grow by a constant factor, so that a
quantile is within 1 percent of a value that is there. Counts of bins add up, in any order, to the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.statistics.moments import Counts, Floats

ACCURACY = 0.01
_LOG_GROWTH = math.log((1 + ACCURACY) / (1 - ACCURACY))
_SMALLEST = 1e-12  # what is nearer to zero counts as zero
_WIDEST = 1 << 20  # range of numbers that are counted by place rather than sorted


@dataclass(frozen=True, eq=False)
class Tally:
    """Hold numbers, ascending, and how often each came."""

    numbers: Counts
    counts: Counts

    @classmethod
    def of(cls, numbers: npt.NDArray[Any]) -> Tally:
        """Count whole numbers."""
        if not len(numbers):
            return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))
        low, high = int(numbers.min()), int(numbers.max())
        if high - low < _WIDEST:
            counts = np.bincount(numbers.astype(np.int64) - low)
            found = np.flatnonzero(counts)
            return cls(found + low, counts[found].astype(np.int64))
        unique, counts = np.unique(numbers.astype(np.int64), return_counts=True)
        return cls(unique, counts.astype(np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Tally]) -> Tally:
        """Add up what parts counted."""
        if len(parts) == 1:
            return parts[0]
        numbers, place = np.unique(np.concatenate([part.numbers for part in parts]), return_inverse=True)
        counts = np.zeros(len(numbers), np.int64)
        np.add.at(counts, place, np.concatenate([part.counts for part in parts]))
        return cls(numbers, counts)

    @property
    def total(self) -> int:
        """How many numbers were counted."""
        return int(self.counts.sum())

    def to_json(self) -> list[list[int]]:
        """Return JSON values."""
        return [self.numbers.tolist(), self.counts.tolist()]

    @classmethod
    def from_json(cls, held: Sequence[Sequence[int]]) -> Tally:
        """Read what `to_json` gave."""
        numbers, counts = held
        return cls(np.array(numbers, np.int64), np.array(counts, np.int64))


def bins_of(values: Floats) -> Tally:
    """Count finite values by bin: 0 is for zero, and the sign of a bin is that of its values."""
    size = np.abs(values)
    with np.errstate(divide="ignore"):
        bins = np.ceil((np.log(size) - math.log(_SMALLEST)) / _LOG_GROWTH)
    return Tally.of(np.where(size < _SMALLEST, 0, np.copysign(np.maximum(bins, 1), values)))


def bin_values(bins: Counts) -> Floats:
    """Return the number that stands for each bin."""
    # Midway between the borders as the relative error counts it.
    exponents = np.abs(bins) * _LOG_GROWTH + math.log(_SMALLEST) + math.log(1 - ACCURACY)
    with np.errstate(over="ignore"):
        values: Floats = np.where(bins == 0, 0.0, np.sign(bins) * np.exp(exponents))
    return values


def quantiles(bins: Tally, shares: Sequence[float], low: float, high: float) -> list[float]:
    """Return quantiles of the values in bins, of which the least and the greatest are known exactly."""
    order = np.cumsum(bins.counts)
    ranks = np.floor(np.array(shares) * (order[-1] - 1))
    places = np.searchsorted(order, ranks, side="right")
    return [float(value) for value in np.clip(bin_values(bins.numbers)[places], low, high)]


def spread_out(bins: Tally, edges: Floats, low: float, high: float) -> Counts:
    """Count the values in bins between edges as if they lay evenly within their bins."""
    size = np.abs(bins.numbers)
    with np.errstate(over="ignore"):
        far = np.where(size > 0, _SMALLEST * np.exp(size * _LOG_GROWTH), _SMALLEST)
        near = np.where(size > 0, far * math.exp(-_LOG_GROWTH), -_SMALLEST)
    below = np.where(bins.numbers < 0, -far, near)
    above = np.where(bins.numbers < 0, -near, far)
    borders = np.clip(np.column_stack([below, above]).ravel(), low, high)
    reached = np.cumsum(bins.counts)
    sums = np.column_stack([reached - bins.counts, reached]).ravel()
    counted = np.round(np.interp(edges, borders, sums))
    counted[0], counted[-1] = 0, reached[-1]
    counts: Counts = np.diff(counted).astype(np.int64)
    return counts


def binned(bins: Tally, edges: Floats, *, whole: bool = False) -> Counts:
    """Count the values in bins between edges; what lies outside is put into the outermost."""
    values = bin_values(bins.numbers)
    places = np.searchsorted(edges, np.round(values) if whole else values, side="right") - 1
    counts = np.zeros(len(edges) - 1, np.int64)
    np.add.at(counts, np.clip(places, 0, len(counts) - 1), bins.counts)
    return counts
