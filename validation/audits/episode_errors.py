"""Errors of whole episodes: each row is nearly what was foretold, and all of them together are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from validation.audits.finding import Finding
from validation.audits.forward_model import ForwardModel
from validation.audits.moves import Moves
from validation.audits.trajectories import Numbers, Trajectories, per_episode

_FEWEST = 30  # episodes of the reference that were not learned from
_ROWS = 5  # of an episode: fewer have no mean to speak of
_LEAST = 3  # episodes
_ROOM = 0.75  # of the way from the reference's median episode to its worst, beyond that one
_SHOWN = 5


def check_episode_errors(
    model: ForwardModel | Moves, known: Trajectories, held: Trajectories, scores: Numbers
) -> list[Finding]:
    """Find episodes with errors that are larger throughout than in any episode of the reference.

    It names the target in which most episodes are so.
    """
    place = np.unique(known.episode[model.judged], return_inverse=True)[1].astype(np.int64)
    usual, now = _means(model.held_out, place), _means(scores, held.episode)
    if len(usual) < _FEWEST:
        return []
    counts, limits = np.zeros(len(model.targets), np.int64), np.zeros(len(model.targets))
    for index in range(len(model.targets)):
        seen = usual[np.isfinite(usual[:, index]), index]
        if len(seen) >= _FEWEST:
            limits[index] = seen.max() + _ROOM * (seen.max() - np.median(seen)) + 1e-9
            counts[index] = int((now[:, index] > limits[index]).sum())
    index = int(counts.argmax())
    if counts[index] < _LEAST:
        return []
    worst = np.argsort(-np.nan_to_num(now[:, index]), kind="stable")[: counts[index]]
    firsts = np.searchsorted(held.episode, worst[:_SHOWN])
    return [
        Finding(
            "dynamics",
            "episode_errors",
            model.targets[index],
            "warning",
            f"In {counts[index]:,} of {len(now):,} episodes the errors in what is foretold of "
            f"{model.targets[index]} are larger throughout than in any of the reference's.",
            int(counts[index]),
            len(now),
            "episodes",
            float(now[worst[0], index]),
            float(limits[index]),
            held.examples(firsts),
        )
    ]


def _means(scores: Numbers, episode: NDArray[np.int64]) -> Numbers:
    """Return the mean logarithm of each episode's errors, (episodes, targets): NaN of too few rows."""
    weighed = np.log1p(np.minimum(np.nan_to_num(scores, nan=0.0), 1e6))
    columns = []
    for index in range(scores.shape[1]):
        sums, _ = per_episode(weighed[:, index], episode)
        counts, _ = per_episode(np.isfinite(scores[:, index]).astype(np.float64), episode)
        columns.append(np.where(counts >= _ROWS, sums / np.maximum(counts, 1), np.nan))
    return np.column_stack(columns)
