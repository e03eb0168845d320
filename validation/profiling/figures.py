"""Figures: what a profile says of numbers, and of categories, as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

QUANTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
_LISTED = 20  # values that are listed where there are no more, and the most frequent ones otherwise


@dataclass(frozen=True, slots=True)
class Figures:
    """Describe numbers. Where none is finite, those that would describe them are None."""

    rows: int
    missing: int  # null, or NaN
    infinite: int
    least: float | None = None
    greatest: float | None = None
    mean: float | None = None
    deviation: float | None = None
    error: float | None = None  # the standard error of the mean, as groups of rows vary
    quantiles: Mapping[str, float] | None = None
    distinct: int = 0
    top: tuple[tuple[float, int], ...] = ()  # the most frequent values and their counts; all where few

    @property
    def finite(self) -> int:
        """The number of finite values."""
        return self.rows - self.missing - self.infinite

    @property
    def is_listed(self) -> bool:
        """Say whether `top` has every value."""
        return 0 < self.distinct == len(self.top)

    @classmethod
    def of(cls, values: Numbers, groups: NDArray[np.integer[Any]] | None = None) -> Figures:
        """Describe numbers; `groups` says which rows belong together, such as those of an episode."""
        missing = int(np.isnan(values).sum())
        chosen = np.isfinite(values)
        finite = values[chosen]
        rows, infinite = len(values), len(values) - missing - len(finite)
        if not len(finite):
            return cls(rows, missing, infinite)
        distinct, counts = np.unique(finite, return_counts=True)
        often = np.argsort(-counts, kind="stable")[:_LISTED]
        with np.errstate(over="ignore", invalid="ignore"):  # of numbers near the largest
            mean, deviation = float(finite.mean()), float(finite.std())
        return cls(
            rows,
            missing,
            infinite,
            float(distinct[0]),
            float(distinct[-1]),
            mean if np.isfinite(mean) else None,
            deviation if np.isfinite(deviation) else None,
            _error(finite, mean, np.arange(len(finite)) if groups is None else groups[chosen]),
            dict(zip(map(str, QUANTILES), np.quantile(finite, QUANTILES).tolist(), strict=True)),
            len(distinct),
            tuple((float(distinct[place]), int(counts[place])) for place in often),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self) | {"top": [list(pair) for pair in self.top]}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Figures:
        """Read what `to_dict` made."""
        return cls(**dict(mapping) | {"top": tuple((value, count) for value, count in mapping["top"])})


@dataclass(frozen=True, slots=True)
class Categories:
    """Describe what is one of a few things."""

    rows: int
    missing: int
    distinct: int
    top: tuple[tuple[Any, int], ...]  # the most frequent and their counts; all where few

    @property
    def is_listed(self) -> bool:
        """Say whether `top` has every value."""
        return 0 < self.distinct == len(self.top)

    @classmethod
    def of(cls, values: pl.Series) -> Categories:
        """Describe a series."""
        held = (
            values.drop_nulls()
            .rename("value")
            .value_counts(sort=False)
            .sort(["count", "value"], descending=[True, False])
        )
        top = held.head(_LISTED)
        pairs = zip(top["value"].to_list(), top["count"].to_list(), strict=True)
        return cls(len(values), values.null_count(), held.height, tuple(pairs))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self) | {"top": [list(pair) for pair in self.top]}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Categories:
        """Read what `to_dict` made."""
        return cls(**dict(mapping) | {"top": tuple((value, count) for value, count in mapping["top"])})


def _error(values: Numbers, mean: float, groups: NDArray[np.integer[Any]]) -> float | None:
    _, group = np.unique(groups, return_inverse=True)
    if group.max() == 0:
        return None  # one group does not tell how much groups vary
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.bincount(group, weights=values - mean)
        error = float(np.sqrt((off**2).sum()) / len(values))
    return error if np.isfinite(error) else None
