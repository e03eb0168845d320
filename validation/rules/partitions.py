"""Partitions: the distribution that a column is expected to have, over bins or over values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import SuiteError

_SHAPE = 'Write {"bins": [...], "weights": [...]}, or {"values": [...], "weights": [...]}; weights sum to 1.'


@dataclass(frozen=True, slots=True)
class Categories:
    """Hold the expected weight of each value."""

    values: tuple[Any, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Bins:
    """Hold the expected weight of each bin, and of the tails on either side; outer edges may be infinite."""

    bins: tuple[float, ...]
    weights: tuple[float, ...]
    tails: tuple[float, float] | None = None

    @property
    def finite(self) -> list[float]:
        """The edges that are finite: a bin with an infinite one is a tail."""
        return [edge for edge in self.bins if math.isfinite(edge)]

    def split(self, shares: Sequence[float]) -> tuple[list[float], list[float]]:
        """Tell the shares of inner bins from those of the tails, out of those below, within and above."""
        inner = list(shares[1:-1])
        last = inner[-1]
        left = inner.pop(0) if math.isinf(self.bins[0]) else shares[0]
        right = (inner.pop() if inner else last) if math.isinf(self.bins[-1]) else shares[-1]
        return inner, [left, right]

    def expected(self, tail_holdout: float, internal_holdout: float) -> tuple[list[float], list[float]]:
        """Return the expected weights of inner bins and of tails, with what is held out for others."""
        infinite = [math.isinf(self.bins[0]), math.isinf(self.bins[-1])]
        if self.tails is not None and (any(infinite) or tail_holdout):
            other = "an infinite edge" if any(infinite) else "tail_weight_holdout"
            raise SuiteError(f"partition_object has tail_weights and {other}.", hint="Leave one of them out.")
        if all(infinite) and tail_holdout:
            raise SuiteError(
                "tail_weight_holdout is given, and both edges are infinite.", hint="Leave it out."
            )
        weights = [weight * (1 - tail_holdout - internal_holdout) for weight in self.weights]
        empty = weights.count(0)
        if internal_holdout and empty:
            weights = [weight or internal_holdout / empty for weight in weights]
        outside = tail_holdout if any(infinite) else tail_holdout / 2
        left, right = self.tails or (outside, outside)
        return self.split([left, *weights, right])


def read_partition(given: Mapping[str, Any] | None) -> Bins | Categories:
    """Read a partition object; raise SuiteError where it is none."""
    if given is None:
        raise SuiteError("partition_object is missing.", hint=_SHAPE)
    weights = _numbers("weights", given)
    if "values" in given:
        values = given["values"]
        if not isinstance(values, list | tuple) or len(values) != len(weights):
            raise SuiteError("partition_object needs as many values as weights.", hint=_SHAPE)
        _check_sum(weights)
        return Categories(tuple(values), weights)
    bins, tails = _numbers("bins", given), None
    if len(bins) != len(weights) + 1 or not weights:
        raise SuiteError("partition_object needs one more edge in bins than weights.", hint=_SHAPE)
    if any(not low < high for low, high in itertools.pairwise(bins)):
        raise SuiteError("The bins of partition_object do not increase.", hint=_SHAPE)
    if "tail_weights" in given:
        held = _numbers("tail_weights", given)
        if len(held) != 2:
            raise SuiteError("tail_weights needs two weights, below and above.", hint=_SHAPE)
        tails = (held[0], held[1])
    _check_sum((*weights, *(tails or ())))
    return Bins(bins, weights, tails)


def _numbers(name: str, given: Mapping[str, Any]) -> tuple[float, ...]:
    held = given.get(name)
    if not isinstance(held, list | tuple):
        raise SuiteError(f"partition_object has no list of {name}.", hint=_SHAPE)
    for value in held:
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise SuiteError(f"{name} of partition_object has {value!r}, which is no number.", hint=_SHAPE)
    return tuple(float(value) for value in held)


def _check_sum(weights: Sequence[float]) -> None:
    if abs(sum(weights) - 1) > 1e-5 + 1e-8:  # as near as the library asks
        raise SuiteError(f"The weights of partition_object sum to {sum(weights):g}.", hint=_SHAPE)
