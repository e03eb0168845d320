"""Sensors: elements that lose digits, or gain or lose noise, beside a clean reference.

What stands still, or comes again and again as one number, is told by `variance`; here it is left out, so that
it is not told as lost digits too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.step import KEY_COLUMNS
from validation.audits.finding import Finding
from validation.audits.shares import Share, compare
from validation.audits.trajectories import (
    Mask,
    Numbers,
    Trajectories,
    is_continuous,
    per_episode,
    same_leaves,
)

_AUDIT = "sensors"
_SHOWN = 5
_ASKED = 6  # of a leaf's commonest values
_GRIDS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001)
_LONG = 20  # rows, from which on an episode is judged as a whole
_LEAST_EPISODES = 8  # of the reference, to know how episodes differ
_Episodes = NDArray[np.int64]


def check_sensors(
    reference: pa.Table | pl.DataFrame, current: pa.Table | pl.DataFrame, spec: ArchiveSpec
) -> list[Finding]:
    """Compare how each element behaves over time in single episodes with how it does in the reference's.

    Digits are lost where values lie on a grid (of 1, 0.5, 0.25, 0.1 and so on) that the reference's are not
    on, or where an episode has far fewer different values; noise is told by how much values jitter.
    """
    known = Trajectories.of(reference, spec)
    held = Trajectories.of(current, spec)
    if not len(known) or not len(held):
        return []
    held = same_leaves(known, held)
    theirs, mine = _leaves(known), _leaves(held)
    return list(
        chain.from_iterable(_judge_leaf(name, theirs[name], known, mine[name], held) for name in theirs)
    )


def _leaves(held: Trajectories) -> dict[str, Numbers]:
    named = dict(zip(held.names, held.observation.T, strict=True))
    return named | dict(zip(held.action_names, held.action.T, strict=True)) | {"reward": held.reward}


def _judge_leaf(
    name: str, usual: Numbers, known: Trajectories, now: Numbers, held: Trajectories
) -> Iterator[Finding]:
    if not is_continuous(usual):
        return
    still = _stands(usual, known, now, held) | _repeated(usual, known, now, held)
    rest = np.where(still, np.nan, now)
    yield from _rounded(name, usual, known, rest, held)
    yield from _noisy(name, usual, known, rest, held)


def _stands(usual: Numbers, known: Trajectories, now: Numbers, held: Trajectories) -> Mask:
    """Mark runs of one value that are longer than twice the longest of the reference."""
    marked: Mask = _runs(now, held) > 2 * int(_runs(usual, known).max(initial=1)) + 3
    return marked


def _runs(values: Numbers, held: Trajectories) -> NDArray[np.int64]:
    """Return for each row the length of the run of equal values that it is in."""
    if not len(values):
        return np.empty(0, np.int64)
    new = np.ones(len(values), np.bool_)
    new[1:] = (values[1:] != values[:-1]) | (held.episode[1:] != held.episode[:-1])
    run = np.cumsum(new) - 1
    lengths: NDArray[np.int64] = np.bincount(run)[run]
    return lengths


def _repeated(usual: Numbers, known: Trajectories, now: Numbers, held: Trajectories) -> Mask:
    """Mark single values that come far oftener than in the reference."""
    told = np.zeros(len(now), np.bool_)
    values, counts = np.unique(now[np.isfinite(now)], return_counts=True)
    for value in values[np.argsort(-counts, kind="stable")][:_ASKED]:
        marked = now == value
        if compare(marked, held.episode, usual == value, known.episode).stands_out(3.0, 0.005):
            told |= marked
    return told


def _rounded(
    name: str, usual: Numbers, known: Trajectories, now: Numbers, held: Trajectories
) -> Iterator[Finding]:
    """Find values on a grid that the reference's are not on, or episodes with too few values."""
    for grid in _GRIDS:
        marked = _on_grid(now, grid)
        share = compare(marked, held.episode, _on_grid(usual, grid), known.episode)
        if share.stands_out(3.0, 0.008):
            text = f"{name} is a multiple of {grid:g} ({share.value:.2%}, usually {share.reference:.2%})"
            yield _finding("rounded", name, share, marked, held, text, share.value, share.reference)
            return
    fresh, fresh_usual = _distinct(now, held), _distinct(usual, known)
    if len(fresh_usual) >= _LEAST_EPISODES and len(fresh):
        limit = 0.5 * min(fresh_usual.values())
        odd = [episode for episode, part in fresh.items() if part < limit]
        if len(odd) >= max(2, 0.02 * len(fresh)):
            text = f"{name} takes few different values in {len(odd)} of {len(fresh)} episodes"
            yield _episodes_finding("few_values", name, odd, fresh, limit, held, text)


def _on_grid(values: Numbers, grid: float) -> Mask:
    steps = values / grid
    near: Mask = np.abs(steps - np.round(steps)) <= 1e-6 * np.maximum(1.0, np.abs(steps))
    return near & (np.abs(steps) < 1e4)  # beyond, float32 is on any grid


def _distinct(values: Numbers, held: Trajectories) -> dict[int, float]:
    """Return the share of different values in each long episode."""
    frame = pl.DataFrame({"episode": held.episode, "value": values}).filter(pl.col("value").is_finite())
    counted = frame.group_by("episode", maintain_order=True).agg(
        pl.len(), pl.col("value").n_unique().alias("n")
    )
    counted = counted.filter(pl.col("len") >= _LONG)
    return {int(row[0]): row[2] / row[1] for row in counted.iter_rows()}


def _noisy(
    name: str, usual: Numbers, known: Trajectories, now: Numbers, held: Trajectories
) -> Iterator[Finding]:
    """Find episodes in which an element jitters more, or less, than in any of the reference."""
    jitter, jitter_usual = _jitter(now, held), _jitter(usual, known)
    if len(jitter_usual) < _LEAST_EPISODES or not jitter:
        return
    sizes = np.array(list(jitter_usual.values()))
    middle = float(np.median(sizes))
    # Logarithms: twice the reference's own reach, and at least as much as a factor of 2.
    reach = 2.0 * float(np.abs(sizes - middle).max()) + 0.3
    reach = max(reach, float(np.log(2)))
    odd = [episode for episode, size in jitter.items() if abs(size - middle) > reach]
    if len(odd) >= max(2, 0.02 * len(jitter)):
        ratio = float(np.exp(np.median([jitter[episode] for episode in odd]) - middle))
        text = f"{name} jitters {ratio:.3g} times as much as usual in {len(odd)} of {len(jitter)} episodes"
        yield _episodes_finding("noise", name, odd, jitter, float(np.exp(reach)), held, text)


def _jitter(values: Numbers, held: Trajectories) -> dict[int, float]:
    """Return the logarithm of the mean second difference of each long episode."""
    bends = np.full(len(values), np.nan)
    if len(values) > 2:
        inside = held.follows[:-2] & held.follows[1:-1]
        bends[1:-1] = np.where(inside, np.abs(values[2:] - 2 * values[1:-1] + values[:-2]), np.nan)
    known = np.isfinite(bends)
    sums, _ = per_episode(np.where(known, bends, 0.0), held.episode)
    rows, _ = per_episode(known.astype(np.float64), held.episode)
    floor = 1e-9 + 1e-6 * float(np.nanmax(np.abs(values), initial=0.0))
    return {
        int(episode): float(np.log(sums[episode] / rows[episode] + floor))
        for episode in np.flatnonzero(rows >= _LONG)
    }


def _finding(
    check: str,
    name: str,
    share: Share,
    marked: Mask,
    held: Trajectories,
    text: str,
    value: float,
    limit: float,
) -> Finding:
    message = f"In {share.count} of {share.total} rows {text}."
    examples = held.examples(np.flatnonzero(marked)[:_SHOWN])
    return Finding(
        _AUDIT, check, name, "critical", message, share.count, share.total, "rows", value, limit, examples
    )


def _episodes_finding(
    check: str,
    name: str,
    odd: list[int],
    judged: dict[int, float],
    limit: float,
    held: Trajectories,
    text: str,
) -> Finding:
    keys = held.examples(np.searchsorted(held.episode, odd[:_SHOWN]))
    examples = [{key: one[key] for key in KEY_COLUMNS if key in one and key != "step"} for one in keys]
    return Finding(
        _AUDIT, check, name, "warning", f"{text}.", len(odd), len(judged), "episodes", None, limit, examples
    )
