"""Levels: where episodes begin, and about which value their numbers move, beside a clean reference.

What is off by the same amount in a whole episode may look right in each row, and from one to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.episodes import EPISODE_KEY
from validation.audits.finding import Finding
from validation.audits.leaves import Numbers, categorical_leaves, numeric_leaves
from validation.neighbours import order_steps, read_steps

_FEWEST = 30  # episodes of the reference
_LEAST = 3  # episodes: one or two may just have gone further than those before
_LONG = 30  # steps: the mean of fewer tells how it began, or how it failed
# Shares of the reference's range, beyond which three clean episodes were never seen to lie.
_ROOM = {"start": 0.25, "mean": 0.75}
_ROUNDING = 1e-6  # of a value, where all of the reference's are one
_SHOWN = 5
_NEEDED = (*EPISODE_KEY, "step", "observation", "action", "reward", "event_time")


def check_levels(
    reference: pa.Table | pl.DataFrame, current: pa.Table | pl.DataFrame, spec: ArchiveSpec
) -> list[Finding]:
    """Compare episodes one by one with a reference's: their first observation, and the mean of each number.

    Checks are `start` and `mean`. An episode counts that lies outside the reference's range, widened by a
    quarter, or by three quarters for means, on either side; three make a finding.
    """
    known, held = _Levels.of(reference, spec), _Levels.of(current, spec)
    return [*_judge("start", known.starts, held.starts), *_judge("mean", known.means, held.means)]


@dataclass(frozen=True, eq=False)
class _Values:
    """Hold one value of each leaf for each of some episodes."""

    keys: pl.DataFrame
    leaves: dict[str, Numbers]


@dataclass(frozen=True, eq=False)
class _Levels:
    starts: _Values
    means: _Values

    @classmethod
    def of(cls, steps: pa.Table | pl.DataFrame, spec: ArchiveSpec) -> _Levels:
        names = (*_NEEDED, *spec.extras)
        frame = read_steps(steps, names).select(names)
        ordered = order_steps(frame)
        frame = frame[ordered.rows]
        keys = frame.select(*EPISODE_KEY)
        begins = np.flatnonzero(np.diff(ordered.episodes, prepend=-1))
        lengths = np.diff(begins, append=len(ordered.episodes))
        numbers = _numbers(frame, spec, ("observation", "action", "reward", *spec.extras))
        starts = begins[ordered.steps[begins] == 0]
        first = {leaf: values[starts] for leaf, values in numbers.items() if leaf.startswith("observation")}
        long = lengths >= _LONG
        means = {leaf: _means(values, begins, lengths)[long] for leaf, values in numbers.items()}
        return cls(_Values(keys[starts], first), _Values(keys[begins[long]], means))


def _numbers(frame: pl.DataFrame, spec: ArchiveSpec, columns: tuple[str, ...]) -> dict[str, Numbers]:
    named = categorical_leaves(frame[:0], spec, columns)
    leaves = numeric_leaves(frame, spec, columns)
    return {leaf: values for leaf, values in leaves.items() if leaf not in named}


def _means(values: Numbers, begins: NDArray[np.intp], lengths: NDArray[np.intp]) -> Numbers:
    if not len(begins):
        return np.empty(0)
    finite = np.isfinite(values)
    sums = np.add.reduceat(np.where(finite, values, 0.0), begins)
    counts = np.add.reduceat(finite.astype(np.float64), begins)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(counts > lengths / 2, sums / np.maximum(counts, 1), np.nan)


def _judge(check: str, known: _Values, held: _Values) -> Iterator[Finding]:
    for leaf, now in held.leaves.items():
        usual = known.leaves.get(leaf, np.empty(0))
        usual = usual[np.isfinite(usual)]
        if len(usual) < _FEWEST:
            continue
        low, high = float(usual.min()), float(usual.max())
        room = _ROOM[check] * (high - low) or _ROUNDING * max(1.0, abs(low))
        distance = np.maximum(low - now, now - high)
        beyond = distance > room  # never of NaN
        count = int(beyond.sum())
        if count < _LEAST:
            continue
        worst = np.flatnonzero(beyond)[np.argsort(-distance[beyond], kind="stable")]
        says = "begin with" if check == "start" else "have a mean of"
        yield Finding(
            "levels",
            check,
            leaf,
            "warning",
            f"{count:,} of {len(now):,} episodes {says} {leaf} outside {low:.4g} to {high:.4g}, where the "
            f"reference is: {now[worst[0]]:.4g}.",
            count,
            len(now),
            "episodes",
            float(now[worst[0]]),
            high if now[worst[0]] > high else low,
            tuple(
                {**held.keys.row(int(place), named=True), "value": float(now[place])}
                for place in worst[:_SHOWN]
            ),
        )
