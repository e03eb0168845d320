"""Fingerprints: one number for the content of an episode, the same on every machine and in every version."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.membership import has_floats
from validation.audits.leaves import numeric_leaves
from validation.neighbours import Ordered

_SHORTEST = 3  # steps; shorter episodes may well be equal by chance
_Hashes = NDArray[np.uint64]
_ODD = np.uint64(0x9E3779B97F4A7C15)


def fingerprints(steps: pl.DataFrame, ordered: Ordered, spec: ArchiveSpec) -> pl.Series:
    """Return for each step the fingerprint of its episode: of what was seen, done and got, in order.

    It is null where episodes may be equal without being copies: in spaces without fractions, and where
    there are few steps. `steps` are the rows in order.
    """
    if not has_floats(spec.observation) or not len(ordered.rows):
        return pl.Series([None] * len(ordered.rows), dtype=pl.Int64)
    leaves = numeric_leaves(steps, spec, ("observation", "action", "reward"))
    rows = _mixed(ordered.steps.view(np.uint64))
    for place, values in enumerate(leaves.values(), start=1):
        bits = (values + 0.0).view(np.uint64)  # one zero for both
        rows = _mixed(rows * _ODD + bits + np.uint64(place))
    starts = np.flatnonzero(np.diff(ordered.episodes, prepend=-1))
    lengths = np.diff(starts, append=len(rows))
    whole = np.repeat(np.add.reduceat(rows, starts), lengths).view(np.int64)
    return pl.Series(whole).set(pl.Series(np.repeat(lengths, lengths) < _SHORTEST), None)


def _mixed(values: _Hashes) -> _Hashes:
    """Spread every bit over all 64: the last part of splitmix64."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
