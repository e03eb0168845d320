"""A forward model: what an environment does next, learned from clean experience, and how far off rows are.

Each target (the change of each leaf of the observation, the reward, the end) has three parts: a ridge
regression on polynomials, which is exact for most physics; gradient-boosted trees on what it leaves, where
they help; and a second model of how large the error usually is for such a row, since walls and clipped
speeds are harder to foretell than free motion. A score of 1 is an error of the usual size.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.audits.trajectories import Mask, Numbers, Trajectories

# Shares of clean rows below the thresholds, and what the thresholds are then multiplied by: where the
# reference has few episodes, rows of others lie a little beyond what it has seen.
LEVELS = (0.9, 0.99, 0.999)
_MARGINS = (1.2, 1.5, 3.0)
_MOST_TERMS = 200  # of a polynomial
_FEW_VALUES = 16  # a leaf with so few whole numbers is a name, not a quantity
_FEWEST_ROWS = 300
_FEWEST_OTHERS = 30
_RIDGE = 1e-8  # of the rows' number: the features are standardised
_RESOLUTION = 5e-6  # of a value's magnitude: float32 keeps 6e-8, and sums of it less


@dataclass(frozen=True, slots=True)
class Rows:
    """Hold what a model reads of rows: it scores any, also such as never were."""

    observation: Numbers
    action: Numbers
    successor: Numbers
    reward: Numbers
    terminated: Mask

    @classmethod
    def of(cls, held: Trajectories, chosen: NDArray[Any] | None = None) -> Rows:
        """Return the rows of trajectories, or some of them."""
        take = slice(None) if chosen is None else chosen
        return cls(
            held.observation[take],
            held.action[take],
            held.successor[take],
            held.reward[take],
            held.terminated[take],
        )

    def repeated(self, times: int) -> Rows:
        """Return each row so many times, one after the other."""
        held = {name: np.repeat(getattr(self, name), times, axis=0) for name in self.__slots__}
        return Rows(**held)

    def __len__(self) -> int:
        return len(self.reward)


class ForwardModel:
    """Foretell the next row, and score what came."""

    def __init__(self, reference: Trajectories) -> None:
        """Learn from half of the episodes; a fifth tells the size of errors, the rest the thresholds."""
        self.leaves = reference.names
        rows = Rows.of(reference)
        part = _parts(reference)
        learn, size, judge = part == 0, part == 1, part == 2
        self._encoding = [_categories(held) for held in (rows.observation, rows.action)]
        self._mean, self._spread = _standard(self._plain(rows, after=False))
        self._after_mean, self._after_spread = _standard(self._plain(rows, after=True))
        self.targets = (*reference.names, "reward", "terminated")
        with one_thread():
            self._models = [self._fit(rows, index, learn, size) for index in range(len(self.targets))]
        self.judged = judge
        scores = self.scores(Rows.of(reference, judge))
        self.held_out = scores
        self.thresholds = np.array(
            [
                [max(1.0, margin * _quantile(column, level)) for column in scores.T]
                for level, margin in zip(LEVELS, _MARGINS, strict=True)
            ]
        )  # (levels, targets)
        self.range = np.nanmin(rows.observation[learn], 0), np.nanmax(rows.observation[learn], 0)
        self.action_range = np.nanmin(rows.action, 0), np.nanmax(rows.action, 0)

    def scores(self, rows: Rows) -> Numbers:
        """Return each target's error in units of its usual size: (rows, targets); NaN where unknown."""
        return np.abs(self.errors(rows))

    def errors(self, rows: Rows) -> Numbers:
        """Return the errors with their sign, in units of their usual size."""
        before, after = self._plain(rows, after=False), self._plain(rows, after=True)
        held = np.full((len(rows), len(self.targets)), np.nan)
        for index, model in enumerate(self._models):
            plain = after if model.after else before
            standard = (self._after_mean, self._after_spread) if model.after else (self._mean, self._spread)
            target = self._target(rows, index)
            known = np.isfinite(plain).all(axis=1) & np.isfinite(target)
            if known.any():
                with one_thread():
                    held[known, index] = model.score(plain[known], target[known], *standard)
        return held

    def foretold(self, rows: Rows) -> Numbers:
        """Return the next observation that the model expects: (rows, leaves)."""
        before = self._plain(rows, after=False)
        held = np.full(rows.observation.shape, np.nan)
        known = np.isfinite(before).all(axis=1)
        if not known.any():
            return held
        with one_thread():
            for index in range(len(self.leaves)):
                change = self._models[index].predict(before[known], self._mean, self._spread)
                held[known, index] = rows.observation[known, index] + change
        return held

    def _fit(self, rows: Rows, index: int, learn: Mask, size: Mask) -> _Target:
        target = self._target(rows, index)
        source = rows.observation[:, index] if index < len(self.leaves) else target
        floor = _RESOLUTION * (_magnitude(source) + 10 * _magnitude(target)) + 1e-12
        fitted = []
        for after in (False, True) if index >= len(self.leaves) else (False,):
            plain = self._plain(rows, after=after)
            standard = (self._after_mean, self._after_spread) if after else (self._mean, self._spread)
            known = np.isfinite(plain).all(axis=1) & np.isfinite(target)
            fitted.append(_Target.fit(plain, target, learn & known, size & known, standard, after, floor))
        # What follows may explain a reward; it is only asked where it helps, since it may be wrong itself.
        return fitted[-1] if fitted[-1].error < 0.8 * fitted[0].error else fitted[0]

    def _target(self, rows: Rows, index: int) -> Numbers:
        if index < len(self.leaves):
            change: Numbers = rows.successor[:, index] - rows.observation[:, index]
            return change
        return rows.reward if index == len(self.leaves) else rows.terminated.astype(np.float64)

    def _plain(self, rows: Rows, *, after: bool) -> Numbers:
        """Return the features before they are standardised; `after` adds what followed."""
        held = [_encoded(rows.observation, self._encoding[0]), _encoded(rows.action, self._encoding[1])]
        if after:
            following = np.where(np.isnan(rows.successor), rows.observation, rows.successor)
            held += [following, rows.terminated[:, None].astype(np.float64)]
        return np.column_stack(held)


class _Target:
    """Foretell one number, and say how far off it usually is."""

    def __init__(self, after: bool, floor: float) -> None:
        self.after = after
        self.floor = floor
        self.error = 0.0  # the mean error on rows that were not learned from
        self.degree = 1
        self.weights: Numbers = np.zeros(1)
        self.trees: Any = None
        self.sizes: Any = None
        self.usual = floor

    @classmethod
    def fit(
        cls,
        plain: Numbers,
        target: Numbers,
        learn: Mask,
        size: Mask,
        standard: tuple[Numbers, Numbers],
        after: bool,
        floor: float,
    ) -> _Target:
        known = target[learn | size]
        self = cls(after, floor)
        if learn.sum() < _FEWEST_ROWS or size.sum() < _FEWEST_ROWS // 3 or _rare(known):
            self.degree = -1
            return self
        if np.ptp(known) <= floor:
            self.degree, self.weights = 0, known[:1]
            return self
        best: float | None = None
        for degree in range(6):
            if _terms(plain.shape[1], degree) > _MOST_TERMS:
                break
            weights = _ridge(_polynomial(plain[learn], degree, *standard), target[learn])
            left = np.abs(target[size] - _polynomial(plain[size], degree, *standard) @ weights)
            if best is None or left.mean() < 0.98 * best:
                best, self.degree, self.weights = float(left.mean()), degree, weights
        self.error = best or 0.0
        if self.error > 10 * self.floor:
            self._add_trees(plain, target, learn, size, standard)
        left = np.abs(target[size] - self.predict(plain[size], *standard))
        self.usual = float(left.mean()) + self.floor
        if left.max() > 10 * self.floor:
            # The floor beside the logarithm keeps errors of rounding from being told apart.
            self.sizes = _trees(40).fit(plain[size], np.log(left + self.floor + 0.02 * left.mean()))
        return self

    def _add_trees(
        self, plain: Numbers, target: Numbers, learn: Mask, size: Mask, standard: tuple[Numbers, Numbers]
    ) -> None:
        left = target - self.predict(plain, *standard)
        trees = _trees(80).fit(plain[learn], left[learn])
        error = float(np.abs(left[size] - trees.predict(plain[size])).mean())
        if error < 0.9 * self.error:
            self.trees, self.error = trees, error

    def predict(self, plain: Numbers, mean: Numbers, spread: Numbers) -> Numbers:
        if self.degree < 0:
            return np.full(len(plain), np.nan)
        said: Numbers = _polynomial(plain, self.degree, mean, spread) @ self.weights
        return said if self.trees is None else said + self.trees.predict(plain)

    def size(self, plain: Numbers) -> Numbers:
        if self.sizes is None:
            return np.full(len(plain), self.usual)
        sizes: Numbers = np.exp(self.sizes.predict(plain)) + self.floor
        return sizes

    def score(self, plain: Numbers, target: Numbers, mean: Numbers, spread: Numbers) -> Numbers:
        scored: Numbers = (target - self.predict(plain, mean, spread)) / self.size(plain)
        return scored


def _parts(reference: Trajectories) -> NDArray[np.int64]:
    """Split whole episodes: half to learn from (0), a fifth for sizes (1), the rest to judge (2)."""
    place = np.random.default_rng(0).permutation(max(reference.episodes, 1)) / max(reference.episodes, 1)
    part = np.digitize(place, [0.5, 0.7]).astype(np.int64)
    held: NDArray[np.int64] = part[reference.episode]
    return held


def _trees(rounds: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor  # heavy, and only needed here

    return HistGradientBoostingRegressor(max_iter=rounds, early_stopping=False, random_state=0)


def one_thread() -> Any:
    """Keep to one thread while it is open: for so few rows threads cost more than they bring."""
    return _libraries().limit(limits=1)


@cache
def _libraries() -> Any:
    """Find the libraries that have threads: looking for them takes longer than what they are asked for."""
    import sklearn.ensemble  # noqa: F401  (which loads them)
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # of scikit-learn

    return ThreadpoolController()


def _terms(features: int, degree: int) -> int:
    return math.comb(features + degree, degree)


def _polynomial(plain: Numbers, degree: int, mean: Numbers, spread: Numbers) -> Numbers:
    """Return all products of at most `degree` standardised features, the empty one first."""
    standard = (plain - mean) / spread
    blocks = [np.ones((len(plain), 1))]
    last = [(np.ones((len(plain), 1)), 0)]
    for _ in range(degree):
        grown = []
        for block, first in last:
            for feature in range(first, standard.shape[1]):
                grown.append((block * standard[:, feature : feature + 1], feature))
        blocks += [block for block, _ in grown]
        last = grown
    return np.hstack(blocks)


def _ridge(features: Numbers, target: Numbers) -> Numbers:
    squares = features.T @ features
    squares[np.diag_indices_from(squares)] += _RIDGE * len(features)
    weights: Numbers = np.linalg.lstsq(squares, features.T @ target, rcond=1e-13)[0].astype(np.float64)
    return weights


def _magnitude(values: Numbers) -> float:
    known = np.abs(values[np.isfinite(values)])
    return float(np.quantile(known, 0.99)) if len(known) else 0.0


def _rare(values: Numbers) -> bool:
    """Say whether all but a few values are the same one: too few others to learn when they come."""
    if not len(values):
        return True
    others = int((values != np.median(values)).sum())
    return 0 < others < _FEWEST_OTHERS


def _standard(plain: Numbers) -> tuple[Numbers, Numbers]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a leaf that is never known
        mean, spread = np.nanmean(plain, axis=0), np.nanstd(plain, axis=0)
    return np.nan_to_num(mean), np.where(np.nan_to_num(spread) > 0, spread, 1.0)


def _categories(leaves: Numbers) -> list[Numbers | None]:
    """Return for each leaf its values, where they are few whole numbers."""
    found: list[Numbers | None] = []
    for column in leaves.T:
        values = np.unique(column[np.isfinite(column)])
        whole = len(values) <= _FEW_VALUES and bool((values == np.round(values)).all())
        found.append(values if whole else None)
    return found


def _encoded(leaves: Numbers, categories: list[Numbers | None]) -> Numbers:
    blocks: list[Numbers] = [np.empty((len(leaves), 0))]
    for column, values in zip(leaves.T, categories, strict=True):
        if values is None:
            blocks.append(column[:, None])
        else:
            known = (column[:, None] == values[None, 1:]).astype(np.float64)
            known[np.isnan(column)] = np.nan
            blocks.append(known)
    return np.hstack(blocks)


def _quantile(scores: Numbers, level: float) -> float:
    known = scores[np.isfinite(scores)]
    return float(np.quantile(known, level)) if len(known) else float("inf")
