"""Blame: which one thing, if it were otherwise, would make rows what the model expects?

A wrong element of an observation spoils what is foretold of it and of everything that hangs on it, so
the largest error does not name it. Each explanation is tried instead: another action, another value of one
element, two elements swapped. The one after which the least is left to explain is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from validation.audits.forward_model import ForwardModel, Rows
from validation.audits.links import cost
from validation.audits.moves import Moves
from validation.audits.trajectories import Numbers, Trajectories

_MOST_SWAPPED = 10  # leaves; the pairs of more are too many
_GRID = 9
_ROUNDS = 3
_DISCRETE = 16
Model = ForwardModel | Moves
Kind = Literal["none", "unexpected", "action", "sensor", "either", "swapped"]


class Explanation(NamedTuple):
    """Name the columns that are wrong, and in what way."""

    kind: Kind
    columns: tuple[str, ...] = ()


NONE = Explanation("none")
_REWARD = Explanation("unexpected", ("reward",))
_TERMINATED = Explanation("unexpected", ("terminated",))
_AS_GOOD = 0.3  # of the weights of errors: so near, two explanations are as good as each other


def explain(
    model: Model,
    current: Trajectories,
    rows: Rows,
    chosen: NDArray[np.intp],
    level: int,
) -> list[Explanation]:
    """Say for each chosen row which columns are wrong. `rows` are all rows, mended where links told how.

    `level` is that of the thresholds beyond which the rows are.
    """
    limit = model.thresholds[level]
    some = Rows(*(getattr(rows, name)[chosen] for name in Rows.__slots__))
    scores = model.scores(some)
    over = np.nan_to_num(scores / limit, nan=0.0) > 1
    leaves = len(model.leaves)
    said: list[Explanation] = [NONE] * len(chosen)
    moved = over[:, :leaves].any(axis=1)
    for row in np.flatnonzero(~moved):
        said[row] = _REWARD if over[row, leaves] else _TERMINATED if over[row, leaves + 1] else NONE
    rewarded = np.flatnonzero([explanation == _REWARD for explanation in said])
    if len(rewarded) and _rather_the_action(model, current, rows, chosen[rewarded]):
        for row in rewarded:
            said[row] = _action(current)
    asked = np.flatnonzero(moved)
    if not len(asked):
        return said
    some = Rows(*(getattr(some, name)[asked] for name in Rows.__slots__))
    plain = cost(scores[asked], limit)
    broken = over[asked, :leaves].sum(axis=1)
    names, costs = [], []
    for name, left in _explanations(model, current, rows, chosen[asked], some, broken, limit):
        names.append(name)
        costs.append(left)
    table = np.column_stack(costs)
    best = table.argmin(axis=1)
    for place, row in enumerate(asked):
        # It must explain most of what is wrong, else the row is wrong in another way.
        if table[place, best[place]] < 0.35 * plain[place]:
            said[row] = _or_another(names, table[place], int(best[place]))
    return said


def _explanations(
    model: Model,
    current: Trajectories,
    rows: Rows,
    chosen: NDArray[np.intp],
    some: Rows,
    broken: NDArray[np.int64],
    limit: NDArray[np.float64],
) -> Iterator[tuple[Explanation, Numbers]]:
    actions = some.action.shape[1]
    if actions:
        neighbours = [_shifted(current, rows.action, chosen, by) for by in (-1, 1)]
        tried = [held for held in (*neighbours, -some.action) if held.size]
        known = [np.unique(column) for column in current.action.T]
        if actions == 1 and len(known[0]) <= _DISCRETE:
            tried = [np.full_like(some.action, value) for value in known[0]]
        left = np.min([cost(model.scores(replace(some, action=a)), limit) for a in tried], axis=0)
        free = _freely(model, some, None, 0, limit) if actions == 1 and len(known[0]) > _DISCRETE else left
        # One free number mends one error whatever is wrong; two say something.
        yield _action(current), np.where(broken > 1, np.minimum(left, free), left) + 0.1
    foretold = _foretold_from_before(model, current, rows, chosen)
    for index, name in enumerate(model.leaves):
        yield Explanation("sensor", (name,)), _freely(model, some, foretold, index, limit) + 0.2
    if len(model.leaves) <= _MOST_SWAPPED:
        for one, other in combinations(range(len(model.leaves)), 2):
            order = list(range(len(model.leaves)))
            order[one], order[other] = other, one
            here, there = some.observation[:, order], some.successor[:, order]
            both = replace(some, observation=here, successor=there)
            swapped = (both, replace(some, observation=here), replace(some, successor=there))
            left = np.min([cost(model.scores(held), limit) for held in swapped], axis=0)
            yield Explanation("swapped", (model.leaves[one], model.leaves[other])), left + 0.3


def _freely(
    model: Model, some: Rows, foretold: Numbers | None, index: int, limit: NDArray[np.float64]
) -> Numbers:
    """Return what is left to explain with the best value of one leaf of the observation, or of the action.

    Of an observation both ends are free: what is said of the leaf's own change is left out.
    """
    column = "action" if foretold is None else "observation"
    held: Numbers = getattr(some, column)
    low, high = model.action_range if foretold is None else model.range
    centre = np.full(len(some), (low[index] + high[index]) / 2)
    width = np.full(len(some), (high[index] - low[index]) / 2)
    starts = held[:, index : index + 1]
    if foretold is not None:
        starts = np.column_stack([starts, np.where(np.isnan(foretold), held, foretold)[:, index]])
    least = np.full(len(some), np.inf)
    for _ in range(_ROUNDS):
        steps = centre[:, None] + width[:, None] * np.linspace(-1, 1, _GRID)[None, :]
        tried = np.column_stack([starts, steps])
        many = some.repeated(tried.shape[1])
        values = getattr(many, column).copy()
        values[:, index] = tried.ravel()
        scores = model.scores(replace(many, **{column: values}))
        if foretold is not None:
            scores[:, index] = np.nan
        left = cost(scores, limit).reshape(tried.shape)
        best = left.argmin(axis=1)
        least = np.minimum(least, left.min(axis=1))
        centre = tried[np.arange(len(some)), best]
        width = width * 2.5 / (_GRID - 1)
    return least


def _rather_the_action(model: Model, current: Trajectories, rows: Rows, chosen: NDArray[np.intp]) -> bool:
    """Say whether rewards look wrong because the actions are those of the rows before or after.

    Where an action moves little, its rewards are far off and its moves only a little: over many rows that
    shows.
    """
    some = Rows(*(getattr(rows, name)[chosen] for name in Rows.__slots__))
    leaves = len(model.leaves)
    plain = np.log1p(np.nan_to_num(model.scores(some)))
    for by in (-1, 1):
        other = np.log1p(
            np.nan_to_num(model.scores(replace(some, action=_shifted(current, rows.action, chosen, by))))
        )
        gain = (plain - other)[:, :leaves].sum(axis=1)
        error = gain.std() / np.sqrt(len(gain)) + 1e-9
        if len(gain) >= 10 and gain.mean() > 4 * error and (plain - other)[:, leaves].mean() > 0:
            return True
    return False


def _foretold_from_before(
    model: Model, current: Trajectories, rows: Rows, chosen: NDArray[np.intp]
) -> Numbers:
    before = np.maximum(chosen - 1, 0)
    some = Rows(*(getattr(rows, name)[before] for name in Rows.__slots__))
    joined = (chosen > 0) & current.follows[before]
    return np.where(joined[:, None], model.foretold(some), np.nan)


def _shifted(current: Trajectories, action: Numbers, chosen: NDArray[np.intp], by: int) -> Numbers:
    """Return the action of the row before or after; its own where there is none."""
    there = np.clip(chosen + by, 0, len(action) - 1)
    joined = current.episode[there] == current.episode[chosen]
    return np.where(joined[:, None], action[there], action[chosen])


def _action(current: Trajectories) -> Explanation:
    """Blame the action: its leaf where it has one, else the column."""
    leaves = current.action_names
    return Explanation("action", leaves if len(leaves) == 1 else ("action",))


def _or_another(names: list[Explanation], left: Numbers, best: int) -> Explanation:
    """Return the best explanation; where another element explains as much, both."""
    if names[best].kind != "sensor":
        return names[best]
    near = [
        index
        for index, name in enumerate(names)
        if name.kind == "sensor" and index != best and left[index] < left[best] + _AS_GOOD
    ]
    if len(near) != 1:  # of many that are as good none is meant
        return names[best]
    first, second = sorted((best, near[0]))
    return Explanation("either", names[first].columns + names[second].columns)
