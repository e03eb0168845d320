"""Moves: what followed what where states can be counted. There a move that never was is an error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from validation.audits.forward_model import LEVELS, Rows
from validation.audits.trajectories import Mask, Numbers, Trajectories

_WRONG = 10.0  # the score of what never was; what was scores 0
_VISITS = 20  # from which on an outcome that never came is one that cannot
_ROWS_PER_STATE = 8


def is_countable(held: Trajectories) -> bool:
    """Say whether observations and actions are whole numbers, and come often enough to be counted."""
    numbers = np.column_stack([held.observation, held.action])
    if not len(numbers) or not np.array_equal(numbers, np.round(numbers)):
        return False
    return len(np.unique(held.observation, axis=0)) * _ROWS_PER_STATE <= len(held)


class Moves:
    """Score rows by whether their outcomes were ever seen; it stands where a ForwardModel stands."""

    def __init__(self, reference: Trajectories) -> None:
        """Count the reference's moves; half of its episodes are judged by the other half."""
        rows = Rows.of(reference)
        self.leaves = reference.names
        self.targets = (*reference.names, "reward", "terminated")
        self.range = rows.observation.min(0), rows.observation.max(0)
        self.action_range = rows.action.min(0), rows.action.max(0)
        self.thresholds = np.ones((len(LEVELS), len(self.targets)))
        half = np.random.default_rng(0).permutation(reference.episodes) < reference.episodes / 2
        self.judged: Mask = half[reference.episode]
        self._learn(Rows.of(reference, ~self.judged))
        self.held_out = self.scores(Rows.of(reference, self.judged))
        self._learn(rows)

    def scores(self, rows: Rows) -> Numbers:
        """Return 0 for outcomes that were seen, 10 for others, NaN where too little was seen to tell."""
        return np.column_stack(
            [table.scores(*_question(rows, index)) for index, table in enumerate(self._tables)]
        )

    def foretold(self, rows: Rows) -> Numbers:
        """Return the commonest next observation."""
        return np.column_stack(
            [table.commonest(_question(rows, index)[0]) for index, table in enumerate(self._tables[:-2])]
        )

    def _learn(self, rows: Rows) -> None:
        self._tables = [_Table(*_question(rows, index)) for index in range(len(self.targets))]


class _Table:
    """Know which outcomes a situation had."""

    def __init__(self, situation: Numbers, outcome: Numbers) -> None:
        known = ~np.isnan(situation).any(axis=1) & ~np.isnan(outcome)
        situation, outcome = situation[known], outcome[known]
        self._seen: dict[bytes, dict[float, int]] = {}
        moves, counts = np.unique(np.column_stack([situation, outcome]), axis=0, return_counts=True)
        for move, count in zip(moves, counts.tolist(), strict=True):
            self._seen.setdefault(move[:-1].tobytes(), {})[float(move[-1])] = count
        repeated = [held for held in self._seen.values() if sum(held.values()) > 1]
        several = sum(len(held) > 1 for held in repeated)
        # Where the same always follows, one visit tells all.
        self._enough = 1 if repeated and several <= 0.01 * len(repeated) else _VISITS

    def scores(self, situation: Numbers, outcome: Numbers) -> Numbers:
        moves, index = np.unique(np.column_stack([situation, outcome]), axis=0, return_inverse=True)
        said = np.full(len(moves), np.nan)
        for place, move in enumerate(moves):
            seen = self._seen.get(move[:-1].tobytes())
            if seen is not None and sum(seen.values()) >= self._enough and not np.isnan(move[-1]):
                said[place] = 0.0 if float(move[-1]) in seen else _WRONG
        held: Numbers = said[index.ravel()]
        return held

    def commonest(self, situation: Numbers) -> Numbers:
        found = (self._seen.get(row.tobytes()) for row in situation)
        return np.array(
            [np.nan if seen is None else max(seen, key=lambda value: seen[value]) for seen in found]
        )


def _question(rows: Rows, index: int) -> tuple[Numbers, NDArray[np.float64]]:
    """Return what a target hangs on, and the target."""
    situation = np.column_stack([rows.observation, rows.action]) + 0.0  # no -0.0, whose bytes differ
    leaves = rows.observation.shape[1]
    if index < leaves:
        return situation, rows.successor[:, index] + 0.0
    after = np.column_stack([situation, np.nan_to_num(rows.successor, nan=-1e9)])
    return after, (rows.reward if index == leaves else rows.terminated.astype(np.float64)) + 0.0
