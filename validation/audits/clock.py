"""Clocks: whether the time from one step to the next is still what it was in a clean reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.episodes import EPISODE_KEY
from validation.audits.finding import Finding
from validation.audits.shares import compare
from validation.neighbours import order_steps, read_steps

_FEWEST = 300  # intervals of the reference
_FAR = 10  # times the longest interval of the reference
_LEAST = 3  # episodes
_SHOWN = 5
_NEEDED = (*EPISODE_KEY, "step", "event_time")


def check_clock(reference: pa.Table | pl.DataFrame, current: pa.Table | pl.DataFrame) -> list[Finding]:
    """Compare the intervals between a step and the next one of its episode with those of a reference.

    Checks are `stopped` (more steps than usual have the time of the step before) and `jump` (intervals ten
    times as long as the longest of the reference). Times that run back are for the episodes' audit.
    """
    known, held = _Intervals.of(reference), _Intervals.of(current)
    if len(known.seconds) < _FEWEST or not len(held.seconds):
        return []
    found = []
    still, usual = held.seconds == 0, known.seconds == 0
    share = compare(still, held.episode, usual, known.episode)
    if share.stands_out():
        said = f"have the time of the step before; of the reference {share.reference:.2%}"
        found.append(held.finding("stopped", still, said, share.reference))
    longest = float(known.seconds.max())
    far = held.seconds > _FAR * longest
    if longest > 0 and len(np.unique(held.episode[far])) >= _LEAST:
        said = f"come over {_FAR * longest:.4g} s after the step before, and usually {longest:.4g} s at most"
        found.append(held.finding("jump", far, said, longest))
    return found


@dataclass(frozen=True, eq=False)
class _Intervals:
    """Hold the seconds from a step to the very next one of its episode."""

    seconds: NDArray[np.float64]
    episode: NDArray[np.int64]  # 0, 1, ...
    keys: pl.DataFrame  # of the later step

    @classmethod
    def of(cls, steps: pa.Table | pl.DataFrame) -> _Intervals:
        frame = read_steps(steps, _NEEDED).select(_NEEDED)
        ordered = order_steps(frame)
        once = frame[ordered.rows]
        times = once["event_time"].dt.timestamp("us").to_numpy().astype(np.float64)  # NaN where unknown
        seconds = np.full(len(times), np.nan)
        seconds[1:] = np.where(ordered.follows[:-1], np.diff(times), np.nan) / 1e6
        known = np.isfinite(seconds)
        episode = np.unique(ordered.episodes[known], return_inverse=True)[1].astype(np.int64)
        return cls(seconds[known], episode, once.filter(pl.Series(known)))

    def finding(self, check: str, which: NDArray[np.bool_], says: str, usual: float) -> Finding:
        """Report intervals; the longest come first among the examples."""
        count = int(which.sum())
        worst = np.flatnonzero(which)[np.argsort(-self.seconds[which], kind="stable")][:_SHOWN]
        rows = (
            self.keys[worst].select(*EPISODE_KEY, "step").with_columns(seconds=pl.Series(self.seconds[worst]))
        )
        return Finding(
            "clock",
            check,
            "event_time",
            "warning",
            f"{count:,} of {len(self.seconds):,} steps {says}.",
            count,
            len(self.seconds),
            "rows",
            float(self.seconds[which].max()),
            usual,
            tuple(rows.to_dicts()),
        )
