"""Counts, means and variances of many dimensions at once, which can be put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
_COUNTS = ("count", "missing", "not_finite")
_NUMBERS = ("mean", "squares", "low", "high")
_KINDS: dict[str, Any] = {
    **dict.fromkeys(_COUNTS, np.int64),
    **dict.fromkeys(_NUMBERS, np.float64),
    "whole": np.bool_,
}


@dataclass(frozen=True, eq=False)
class Moments:
    """Hold what is known of the values of each dimension; only finite ones have a mean and bounds.

    `squares` is the sum of squared distances from the mean. Without a value the numbers are 0.
    """

    count: Counts
    missing: Counts
    not_finite: Counts
    mean: Floats
    squares: Floats
    low: Floats
    high: Floats
    whole: npt.NDArray[np.bool_]  # where all of them are whole numbers

    @classmethod
    def of(cls, columns: Floats, missing: npt.NDArray[np.bool_] | None = None) -> Moments:
        """Sum up values, a row for each dimension; those marked as missing are not looked at."""
        finite = np.isfinite(columns)
        given = columns.shape[1]
        lacking = np.zeros(len(columns), np.int64) if missing is None else missing.sum(axis=1)
        if missing is not None:
            finite &= ~missing
        count = finite.sum(axis=1)
        full = bool(count.min(initial=given) == given)
        kept = columns if full else np.where(finite, columns, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = kept.sum(axis=1) / np.maximum(count, 1)
            apart = kept - mean[:, None]
            if not full:
                apart[~finite] = 0.0
            squares = np.einsum("ij,ij->i", apart, apart)
        low = (kept if full else np.where(finite, columns, np.inf)).min(axis=1, initial=np.inf)
        high = (kept if full else np.where(finite, columns, -np.inf)).max(axis=1, initial=-np.inf)
        return cls(
            count,
            lacking,
            given - lacking - count,
            mean,
            squares,
            np.where(count > 0, low, 0.0),
            np.where(count > 0, high, 0.0),
            (kept == np.floor(kept)).all(axis=1),
        )

    @classmethod
    def joined(cls, parts: Sequence[Moments]) -> Moments:
        """Put together what is known of parts, by the formulas of Chan, Golub and LeVeque."""
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.with_part(part)
        return whole

    def with_part(self, other: Moments) -> Moments:
        """Put another part to this one."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            between = other.mean - self.mean
            mean = self.mean + between * share
            squares = self.squares + other.squares + between * between * self.count * share
        ours, theirs = self.count > 0, other.count > 0
        low = np.where(ours & theirs, np.minimum(self.low, other.low), np.where(ours, self.low, other.low))
        high = np.where(
            ours & theirs, np.maximum(self.high, other.high), np.where(ours, self.high, other.high)
        )
        return Moments(
            count,
            self.missing + other.missing,
            self.not_finite + other.not_finite,
            np.where(theirs, np.where(ours, mean, other.mean), self.mean),
            np.where(theirs, np.where(ours, squares, other.squares), self.squares),
            low,
            high,
            self.whole & other.whole,
        )

    @property
    def std(self) -> Floats:
        """The standard deviation of each dimension, as of a whole population."""
        deviation: Floats = np.sqrt(np.maximum(self.squares, 0.0) / np.maximum(self.count, 1))
        return deviation

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; what grew beyond all numbers is null."""
        return {name: getattr(self, name).tolist() for name in _KINDS}

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> Moments:
        """Read what `to_json` gave."""
        return cls(**{name: np.array(held[name], kind) for name, kind in _KINDS.items()})

    def of_dimension(self, place: int) -> Moments:
        """Return what is known of one dimension."""
        return Moments(**{name: getattr(self, name)[place : place + 1] for name in _KINDS})
