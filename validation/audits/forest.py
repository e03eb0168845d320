"""An isolation forest over whole vectors: rows whose numbers are each usual, and odd together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from validation.audits.leaves import column_of
from validation.audits.scales import Judged

Numbers = NDArray[np.float64]

# Scores lie between 0 and 1. Clean rows of four control tasks reach 0.751: see docs/audits.md.
THRESHOLD = 0.77
_FLOOR = 0.62  # with a reference, no lower than this,
_MARGIN = 1.03  # and so much above what the reference itself reaches
_TREES = 100
_FEWEST = 100  # rows that a forest grows on
_AT_MOST = 100_000  # and drawn from, evenly


def judge_vectors(
    given: Mapping[str, Numbers], reference: Mapping[str, Numbers] | None, threshold: float | None
) -> dict[str, Judged]:
    """Score each column of several leaves; a row that lacks one of its numbers is not judged.

    The forest grows on the rows themselves, and on those of the reference with them: rows beyond all that a
    forest has seen look to it like the last that it saw.
    """
    judged = {}
    for column in dict.fromkeys(column_of(leaf) for leaf in given):
        leaves = [leaf for leaf in given if column_of(leaf) == column]
        if len(leaves) < 2:
            continue
        vectors = np.stack([given[leaf] for leaf in leaves], axis=1)
        known = None
        if reference is not None and all(leaf in reference for leaf in leaves):
            known = np.stack([reference[leaf] for leaf in leaves], axis=1)
        judged[column] = _judge(vectors, known, threshold)
    return judged


def _judge(vectors: Numbers, known: Numbers | None, threshold: float | None) -> Judged:
    from sklearn.ensemble import IsolationForest

    scores, mask = np.full(len(vectors), np.nan), np.zeros(len(vectors), np.bool_)
    whole = np.isfinite(vectors).all(axis=1)
    rows = vectors[whole]
    before = None if known is None else known[np.isfinite(known).all(axis=1)]
    cut = THRESHOLD if threshold is None else threshold
    grown_on = rows if before is None else np.concatenate([rows, before])
    if not len(rows) or len(grown_on) < _FEWEST or not np.ptp(grown_on, axis=0).any():
        return Judged(scores, mask, cut)
    stride = -(-len(grown_on) // _AT_MOST)
    forest = IsolationForest(n_estimators=_TREES, random_state=0).fit(grown_on[::stride])
    scores[whole] = -forest.score_samples(rows)
    if before is not None and threshold is None and len(before):
        cut = max(_FLOOR, _MARGIN * float(-forest.score_samples(before).min()))
    mask[whole] = scores[whole] > cut
    return Judged(scores, mask, cut)
