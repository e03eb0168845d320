"""Shares: is something commoner than in the reference? Rows of one episode are not independent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validation.audits.trajectories import Mask, per_episode

# Standard errors. Hundreds of shares are looked at in an audit, and their tails are heavier than normal.
_FAR = 6.0


@dataclass(frozen=True, slots=True)
class Share:
    """Compare how often rows are marked in the current data and in the reference."""

    count: int
    total: int
    reference: float  # the share that the reference shows
    deviations: float  # standard errors that the current share lies above it

    @property
    def value(self) -> float:
        """The share of marked rows."""
        return self.count / self.total if self.total else 0.0

    def stands_out(self, factor: float = 2.0, least: float = 0.003) -> bool:
        """Say whether the share is beyond chance, `factor` times the reference's and `least` above it."""
        grown = self.value >= factor * self.reference and self.value >= self.reference + least
        return grown and self.deviations >= _FAR


def compare(
    marked: Mask,
    episode: NDArray[np.int64],
    reference_marked: Mask,
    reference_episode: NDArray[np.int64],
) -> Share:
    """Compare shares; the variance of the reference's is that of its episodes, not of its rows."""
    count, total = int(marked.sum()), len(marked)
    if not total or not len(reference_marked):
        return Share(count, total, 0.0, 0.0)
    marks, rows = per_episode(reference_marked.astype(np.float64), reference_episode)
    expected = float(marks.sum() / rows.sum())
    spread = float(((marks - expected * rows) ** 2).sum() / rows.sum())  # variance for each row
    # Five marks more than were seen keep a share of none from being a certainty of none.
    spread = max(spread, expected * (1 - expected), 5.0 / len(reference_marked))
    error = np.sqrt(spread * total * (1 + total / len(reference_marked)) + 1.0)
    return Share(count, total, expected, float((count - expected * total) / error))
