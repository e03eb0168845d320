"""Distributions: how often which numbers come, beside how often they came in a reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from validation.audits.leaves import Numbers, numeric_leaves

_COLUMNS = ("observation", "action", "reward", "action_log_prob")
_LEAVES = 40  # of a wide observation the first ones
_BINS = 20
_LARGEST = 1e150  # of what is no number a plot shows nothing
_TAIL = 0.1  # percent at either end that do not widen the bins: they count in the outermost ones


def distributions(
    steps: pa.Table, spec: ArchiveSpec, reference: pa.Table | None
) -> dict[str, dict[str, Any]]:
    """Return for each number of the steps the edges of bins, and how many values each bin has.

    The reference's counts are None where there is no reference, or none of its values is a number. Whole
    numbers of few kinds have a bin each.
    """
    columns = (*_COLUMNS, *spec.extras)
    current = numeric_leaves(steps, spec, columns)
    before = {} if reference is None else numeric_leaves(reference, spec, columns)
    made = {}
    for name, values in list(current.items())[:_LEAVES]:
        now, then = _finite(values), _finite(before.get(name, np.empty(0)))
        if not len(now):
            continue
        edges = _edges(now, then)
        made[name] = {
            "edges": edges.tolist(),
            "current": _counts(now, edges),
            "reference": _counts(then, edges) if len(then) else None,
        }
    return made


def _finite(values: Numbers) -> Numbers:
    return values[np.abs(values) < _LARGEST]  # not so of NaN


def _edges(now: Numbers, then: Numbers) -> Numbers:
    """Span the usual values of both, each by its own."""
    kinds = np.unique(np.concatenate([now, then]))
    if len(kinds) <= _BINS and np.array_equal(kinds, np.round(kinds)) and np.ptp(kinds) < 2 * _BINS:
        return np.arange(kinds[0], kinds[-1] + 2) - 0.5
    ends = [np.percentile(held, [_TAIL, 100 - _TAIL]) for held in (now, then) if len(held)]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if not low < high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    return edges if np.all(np.diff(edges) > 0) else np.array([low, np.nextafter(high, np.inf)])


def _counts(values: Numbers, edges: Numbers) -> list[int]:
    inside = np.clip(values, edges[0], edges[-1])
    return [int(count) for count in np.histogram(inside, edges)[0]]
