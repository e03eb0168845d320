"""Relations: what leaves have to do with one another, at one step and from one to the next.

Three kinds are compared with a clean reference. Values that are equal though they are of different
leaves or steps: a column that knows the future, or is a copy. Rank correlations, of all rows and of each
episode. And how well the action follows from the observation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from validation.audits.finding import Finding
from validation.audits.policy_model import action_surprises
from validation.audits.shares import Share, compare
from validation.audits.trajectories import (
    Mask,
    Numbers,
    Trajectories,
    is_continuous,
    per_episode,
    same_leaves,
)

_AUDIT = "relations"
_MOST_ROWS = 20_000
_MOST_LEAVES = 40
_SHOWN = 5
_EQUAL = 0.005  # a share of rows: that many more than in the reference are equal
# Correlations differ by this many standard errors of episodes, and by this much.
_FAR = 8.0
_MUCH = 0.06
_LONG = 30  # rows, from which on an episode has correlations of its own
_BEYOND = 3.0  # times the largest deviation that an episode of the reference shows
_Pair = tuple[str, str, int]


def check_relations(
    reference: pa.Table | pl.DataFrame, current: pa.Table | pl.DataFrame, spec: ArchiveSpec
) -> list[Finding]:
    """Find relations between columns that the reference does not have, or has otherwise.

    Deviations are measured by how much clean episodes differ among themselves. The column that a finding
    names is the one that most of the changed relations have in common; one finding for each such column.
    """
    known = Trajectories.of(reference, spec, _MOST_ROWS)
    held = Trajectories.of(current, spec, _MOST_ROWS)
    if not len(known) or not len(held):
        return []
    held = same_leaves(known, held)
    theirs, mine = _leaves(known), _leaves(held)
    found = list(_equalities(known, theirs, held, mine))
    found += _correlations(known, theirs, held, mine)
    found += _actions(known, held)
    return found


def _leaves(held: Trajectories) -> dict[str, Numbers]:
    named = dict(zip(held.names, held.observation.T, strict=True))
    named |= dict(zip(held.action_names, held.action.T, strict=True))
    named = dict(list(named.items())[:_MOST_LEAVES]) | {"reward": held.reward}
    # A float64 that was copied into a float32 is still the same number.
    return {name: values.astype(np.float32).astype(np.float64) for name, values in named.items()}


def _later(values: Numbers, held: Trajectories, lag: int) -> Numbers:
    """Return what a leaf is `lag` steps later in the episode; NaN where that is beyond it."""
    later = values
    for _ in range(abs(lag)):
        moved = np.full_like(later, np.nan)
        if lag > 0:
            moved[:-1] = np.where(held.follows[:-1], later[1:], np.nan)
        else:
            moved[1:] = np.where(held.follows[:-1], later[:-1], np.nan)
        later = moved
    return later


def _equalities(
    known: Trajectories, theirs: dict[str, Numbers], held: Trajectories, mine: dict[str, Numbers]
) -> Iterator[Finding]:
    """Tell of leaves that are equal to others, or to themselves at another step, in too many rows."""
    names = [name for name in theirs if is_continuous(theirs[name])]
    rare = {name: ~np.isin(mine[name], _common(theirs[name])) for name in names}
    told: dict[str, tuple[Share, str, Mask]] = {}
    for lag in (0, 1, 2):
        for one in names:
            for other in mine:
                if lag == 0 and (other == one or (other in names and other < one)):
                    continue
                equal = (mine[one] == _later(mine[other], held, lag)) & rare[one]
                if equal.mean() < _EQUAL:
                    continue
                usual = theirs[one] == _later(theirs[other], known, lag)
                usual &= ~np.isin(theirs[one], _common(theirs[one]))
                share = compare(equal, held.episode, usual, known.episode)
                if not share.stands_out(least=_EQUAL):
                    continue
                column = _stranger(theirs, mine, equal, one, other, lag, held)
                where = f"{other} {lag} step{'s' * (lag > 1)} later" if lag else other
                if column not in told or share.count > told[column][0].count:
                    told[column] = (share, f"{one} is equal to {where}", equal)
    for column, (share, text, rows) in told.items():
        message = f"In {share.count} of {share.total} rows {text} ({share.reference:.2%} in the reference)."
        yield Finding(
            _AUDIT, "equal", column, "critical", message, share.count, share.total, "rows",
            share.value, share.reference, held.examples(np.flatnonzero(rows)[:_SHOWN]),
        )  # fmt: skip


def _common(values: Numbers) -> Numbers:
    """Return the values that come again and again, as at a wall or a limit: they are equal by chance."""
    found, counts = np.unique(values, return_counts=True)
    common: Numbers = found[counts > max(2, 0.001 * len(values))]
    return common


def _stranger(
    theirs: dict[str, Numbers],
    mine: dict[str, Numbers],
    rows: Mask,
    one: str,
    other: str,
    lag: int,
    held: Trajectories,
) -> str:
    """Return which of two equal leaves is farther from what the reference holds in it."""
    if one == other:
        return one
    values = {one: mine[one][rows], other: _later(mine[other], held, lag)[rows]}
    return max(values, key=lambda name: _distance(values[name], theirs[name]))


def _distance(values: Numbers, usual: Numbers) -> float:
    """Return the largest difference between two distributions."""
    usual = np.sort(usual[np.isfinite(usual)])
    points = np.sort(values[np.isfinite(values)])
    if not len(usual) or not len(points):
        return 0.0
    both = np.concatenate([points, usual])
    shares = [np.searchsorted(one, both, side="right") / len(one) for one in (points, usual)]
    return float(np.abs(shares[0] - shares[1]).max())


@dataclass(frozen=True, slots=True)
class _Changed:
    pair: _Pair
    weight: float
    before: float
    now: float
    rows: int
    episodes: NDArray[np.int64]


def _correlations(
    known: Trajectories, theirs: dict[str, Numbers], held: Trajectories, mine: dict[str, Numbers]
) -> list[Finding]:
    ranks = {name: _ranks(theirs[name], mine[name]) for name in theirs}
    ranks = {name: pair for name, pair in ranks.items() if np.nanstd(pair[0]) > 0}
    changed: list[_Changed] = []
    for lag in (0, 1):
        for one, (usual, now) in ranks.items():
            for other, (other_usual, other_now) in ranks.items():
                if lag == 0 and other <= one:
                    continue
                before = usual * _later(other_usual, known, lag)
                after = now * _later(other_now, held, lag)
                found = _compared((one, other, lag), before, known.episode, after, held.episode)
                if found is not None:
                    changed.append(found)
    return _by_column(changed, held)


def _ranks(usual: Numbers, now: Numbers) -> tuple[Numbers, Numbers]:
    """Return ranks among the reference's values, between about -1.7 and 1.7, so that products correlate."""
    values = np.sort(usual[np.isfinite(usual)])
    if not len(values):
        return np.full_like(usual, np.nan), np.full_like(now, np.nan)

    def ranked(column: Numbers) -> Numbers:
        middle = (np.searchsorted(values, column) + np.searchsorted(values, column, side="right")) / 2
        held: Numbers = np.where(np.isfinite(column), middle / len(values) - 0.5, np.nan)
        return held

    spread = float(np.nanstd(ranked(usual))) or 1.0
    return ranked(usual) / spread, ranked(now) / spread


def _compared(
    pair: _Pair, before: Numbers, known: NDArray[np.int64], after: Numbers, held: NDArray[np.int64]
) -> _Changed | None:
    """Compare a correlation over all rows, and of each long episode with those of the reference."""
    usual, usual_rows = _sums(before, known)
    sums, rows = _sums(after, held)
    if usual_rows.sum() < _LONG or rows.sum() < _LONG or len(usual) < 8:
        return None
    means = usual.sum() / usual_rows.sum(), sums.sum() / rows.sum()
    errors = [
        float(np.sqrt(((s - mean * n) ** 2).sum()) / n.sum())
        for s, n, mean in ((usual, usual_rows, means[0]), (sums, rows, means[1]))
    ]
    difference = abs(means[1] - means[0])
    deviations = difference / (np.hypot(errors[0], errors[1]) + 1e-9)
    long, long_usual = rows >= _LONG, usual_rows >= _LONG
    odd = np.empty(0, np.int64)
    if long_usual.sum() >= 8 and long.any():
        each_usual = usual[long_usual] / usual_rows[long_usual]
        middle = np.median(each_usual)
        spread = float(np.abs(each_usual - middle).max()) + 0.02
        each = np.divide(sums, rows, out=np.zeros_like(sums), where=rows > 0)
        odd = np.flatnonzero(long & (np.abs(each - middle) > _BEYOND * spread))
        if len(odd) < max(2, 0.02 * long.sum()):
            odd = np.empty(0, np.int64)
    if not len(odd) and not (deviations >= _FAR and difference >= _MUCH):
        return None
    now = float(sums[odd].sum() / rows[odd].sum()) if len(odd) else float(means[1])
    count = int(rows[odd].sum()) if len(odd) else int(rows.sum())
    return _Changed(pair, abs(now - float(means[0])), float(means[0]), now, count, odd)


def _sums(products: Numbers, episode: NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    known = np.isfinite(products)
    sums, _ = per_episode(np.where(known, products, 0.0), episode)
    rows, _ = per_episode(known.astype(np.float64), episode)
    return sums, rows


def _by_column(changed: list[_Changed], held: Trajectories) -> list[Finding]:
    """Name the column that most of the changed relations have in common, then that of those that are left."""
    found: list[Finding] = []
    left = list(changed)
    while left and len(left) >= 0.25 * len(changed):
        names = {name for one in left for name in one.pair[:2]}
        weights = {name: sum(one.weight for one in left if name in one.pair[:2]) for name in sorted(names)}
        column = max(weights, key=lambda name: weights[name])
        mine = [one for one in left if column in one.pair[:2]]
        left = [one for one in left if column not in one.pair[:2]]
        worst = max(mine, key=lambda one: one.weight)
        one, other, lag = worst.pair
        later = " one step later" if lag else ""
        episodes = f" in {len(worst.episodes)} episodes" if len(worst.episodes) else ""
        first = np.searchsorted(held.episode, worst.episodes[:_SHOWN])
        found.append(
            Finding(
                _AUDIT, "correlation", column, "warning",
                f"{one} and {other}{later} correlate by {worst.now:.2f}{episodes}, and by {worst.before:.2f}"
                f" in the reference; {len(mine)} relations of {column} have changed.",
                len(worst.episodes) or held.episodes, held.episodes, "episodes",
                worst.now, worst.before, held.examples(first),
            )
        )  # fmt: skip
    return found


def _actions(known: Trajectories, held: Trajectories) -> list[Finding]:
    found = []
    for column, surprises in action_surprises(known, held).items():
        share = surprises.share
        if not share.stands_out(1.4, 0.015):
            continue
        text = (
            f"In {share.count} of {share.total} rows {column} does not follow from the observation as in the"
            f" reference ({share.value:.2%}, and {share.reference:.2%} there)."
        )
        examples = held.examples(np.argsort(-np.nan_to_num(surprises.current))[:_SHOWN])
        found.append(
            Finding(
                _AUDIT, "policy", column, "warning", text,
                round(share.count - share.reference * share.total), share.total, "rows",
                share.value, share.reference, examples,
            )
        )  # fmt: skip
    return found
