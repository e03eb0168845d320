"""How numbers lie: of numbers that are at hand exactly, and of those known by moments and bins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from lake.statistics.leaves import Leaf
from lake.statistics.moments import Floats, Moments
from lake.statistics.results import Choices, Histogram, LeafStatistics, Share, Spread
from lake.statistics.tallies import Tally, binned, quantiles, spread_out
from lake.statistics.values import Values
from schemas.spaces import Box

LEVELS = {"p5": 0.05, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95}
_BINS = 30
_NOISE = 1e-12
_COVERED = 20  # bins of a dimension
_WHOLE = 2.0**40  # whole numbers beyond are like any others
_LARGEST = float(np.finfo(np.float64).max)
_MOST_CHOICES = 200  # that are listed


def exact_spread(name: str, values: Floats, missing: int = 0, *, with_histogram: bool = True) -> Spread:
    """Describe finite numbers, all of them at hand."""
    if not len(values):
        return Spread(name, 0, missing)
    low, high = float(values.min()), float(values.max())
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.quantile(values, list(LEVELS.values()))
        mean, std = finite(values.mean()), finite(values.std())
    whole = bool((values == np.floor(values)).all()) and max(-low, high) < _WHOLE
    histogram = None
    if with_histogram:
        edges = _edges(low, high, whole)
        counts, _ = np.histogram(values, edges)
        histogram = Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
    held = np.clip(np.where(np.isnan(found), low, found), low, high)  # between numbers too far apart
    levels = dict(zip(LEVELS, map(float, held), strict=True))
    return Spread(name, len(values), missing, 0, mean, std, low, high, levels, histogram)


def spread(name: str, moments: Moments, place: int, bins: Tally | None) -> Spread:
    """Describe one dimension by its moments and bins."""
    count, missing = int(moments.count[place]), int(moments.missing[place])
    not_finite = int(moments.not_finite[place])
    if not count:
        return Spread(name, 0, missing, not_finite)
    low, high = float(moments.low[place]), float(moments.high[place])
    whole = bool(moments.whole[place]) and max(-low, high) < _WHOLE
    levels, histogram = None, None
    if bins is not None:
        found = quantiles(bins, list(LEVELS.values()), low, high)
        levels = dict(zip(LEVELS, map(float, np.round(found)) if whole else found, strict=True))
        edges = _edges(low, high, whole)
        counts = binned(bins, edges, whole=True) if whole else spread_out(bins, edges, low, high)
        histogram = Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
    mean, std = finite(moments.mean[place]), finite(moments.std[place])
    if mean is not None and std is not None and std < _NOISE * abs(mean):
        std = 0.0  # what rounding leaves of numbers that are all the same
    return Spread(name, count, missing, not_finite, mean, std, low, high, levels, histogram)


def finite(value: float) -> float | None:
    """Return a number, or None for what has grown beyond all numbers."""
    return float(value) if np.isfinite(value) else None


def value_spread(name: str, values: Values | None) -> Spread:
    """Describe a column of one number."""
    if values is None or values.moments is None:
        return Spread(name, 0)
    return spread(name, values.moments, 0, values.tallies[0])


def leaf_statistics(leaf: Leaf, values: Values | None, *, sampled: bool) -> LeafStatistics:
    """Describe a part of a space."""
    if values is None:
        return LeafStatistics(leaf.name, leaf.kind, 0, sampled, (), ())
    return LeafStatistics(
        leaf.name,
        leaf.kind,
        values.rows,
        sampled,
        tuple(_spreads(leaf, values)),
        tuple(_choices(leaf, values)),
    )


def _spreads(leaf: Leaf, values: Values) -> Iterator[Spread]:
    moments = values.moments
    if moments is None:
        return
    names = dimension_names(leaf)
    if leaf.kind == "pixels":
        channels = [moments.of_dimension(place) for place in range(leaf.channels)]
        yield spread(leaf.name, Moments.joined(channels), 0, None)
        if leaf.channels == 1:
            return
        names = [f"{leaf.name} channel {place}" for place in range(leaf.channels)]
    for place, name in enumerate(names):
        bins = values.tallies[place] if values.tallies else None
        yield spread(name, moments, place, bins)


def _choices(leaf: Leaf, values: Values) -> Iterator[Choices]:
    for name, tally, possible in zip(dimension_names(leaf), values.tallies, leaf.choices, strict=False):
        # A sort that is stable, so that of equals the least are listed.
        most = np.sort(np.argsort(-tally.counts, kind="stable")[:_MOST_CHOICES])
        listed = zip(tally.numbers[most].tolist(), tally.counts[most].tolist(), strict=True)
        yield Choices(name, tally.total, tuple(listed), len(tally.numbers), len(possible))


def covered(leaf: Leaf, values: Values | None) -> Iterator[Share]:
    """Say how much of each dimension or component was seen."""
    if values is None or not values.tallies:
        return
    if leaf.kind == "choices":
        for name, tally, possible in zip(dimension_names(leaf), values.tallies, leaf.choices, strict=True):
            yield Share(name, len(tally.numbers), len(possible))
    elif isinstance(leaf.space, Box) and values.moments is not None:
        for place, (name, bins) in enumerate(zip(dimension_names(leaf), values.tallies, strict=True)):
            low, high = _bound(leaf.space, "low", place), _bound(leaf.space, "high", place)
            if not (np.isfinite(low) and np.isfinite(high)):
                low, high = float(values.moments.low[place]), float(values.moments.high[place])
            if high > low:
                counts = binned(bins, np.linspace(low, high, _COVERED + 1))
                yield Share(name, int((counts > 0).sum()), _COVERED)


def dimension_names(leaf: Leaf) -> list[str]:
    """Name the dimensions or components of a leaf."""
    if leaf.kind == "text" or leaf.dimensions == 1:
        return [leaf.name]
    return [f"{leaf.name}[{place}]" for place in range(leaf.dimensions)]


def _bound(space: Box, name: Literal["low", "high"], place: int) -> float:
    bound: float | tuple[float, ...] = getattr(space, name)
    return bound[place] if isinstance(bound, tuple) else bound


def _edges(low: float, high: float, whole: bool) -> Floats:
    """Cut a range into bins of one width; of few whole numbers each has its own."""
    if whole:
        width = max(np.ceil((high - low + 1) / _BINS), 1.0)
        whole_edges: Floats = low - 0.5 + width * np.arange(np.ceil((high - low + 1) / width) + 1)
        return whole_edges
    room = 0.0 if high > low else max(0.5, 1e-3 * abs(low))
    with np.errstate(over="ignore", invalid="ignore"):
        edges: Floats = np.clip(np.linspace(low - room, high + room, _BINS + 1), -_LARGEST, _LARGEST)
        if np.isfinite(edges).all() and (np.diff(edges) > 0).all():
            return edges
    return np.array([-_LARGEST, _LARGEST])  # numbers so large that there is nothing to be seen
