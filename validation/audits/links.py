"""Links: a row's next observation is the following row's observation, or one of the two is wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from validation.audits.forward_model import ForwardModel, Rows
from validation.audits.moves import Moves
from validation.audits.shares import compare
from validation.audits.trajectories import Mask, Numbers, Trajectories, any_leaf

_SAME = 1e-5  # of a leaf's magnitude


@dataclass(frozen=True, slots=True)
class Links:
    """Say which links are broken, and what is to blame: each mask is over the rows that hold the fault."""

    wrong_next: Mask  # (rows, leaves)
    wrong_observation: Mask  # (rows, leaves)
    wrong_key: Mask  # (rows,): the row is well, and does not belong after the one before it
    rows: Rows  # with the faults mended from the other end of the link


def judge_links(model: ForwardModel | Moves, reference: Trajectories, current: Trajectories) -> Links:
    """Find broken links where they are commoner than in the reference, and let the model say who is wrong."""
    rows = Rows.of(current)
    nothing = np.zeros(current.observation.shape, np.bool_)
    links = Links(nothing, nothing.copy(), np.zeros(len(current), np.bool_), rows)
    magnitude = np.quantile(np.abs(np.nan_to_num(reference.observation)), 0.99, axis=0)
    broken = _broken(current, magnitude)
    usual = _broken(reference, magnitude)
    any_broken = any_leaf(broken)
    if not compare(any_broken, current.episode, any_leaf(usual), reference.episode).stands_out():
        return links
    first = np.flatnonzero(any_broken)
    at = broken[first]
    before, after = Rows.of(current, first), Rows.of(current, first + 1)
    limit = model.thresholds[0]  # the finest: the two ends may be alike
    as_is = cost(model.scores(before), limit), cost(model.scores(after), limit)
    mended_next = replace(before, successor=np.where(at, after.observation, before.successor))
    mended_observation = replace(after, observation=np.where(at, before.successor, after.observation))
    next_is_wrong = cost(model.scores(mended_next), limit) + as_is[1]
    observation_is_wrong = as_is[0] + cost(model.scores(mended_observation), limit)
    # Both rows are as the model expects: they are well, and only do not belong one after the other.
    varied = (magnitude > 0) & (np.ptp(np.nan_to_num(reference.observation), axis=0) > 0)
    whole = at[:, varied].mean(axis=1) > 0.9 if varied.any() else np.zeros(len(first), np.bool_)
    key = whole & (as_is[0] + as_is[1] < 0.5) & (np.minimum(next_is_wrong, observation_is_wrong) > 2.0)
    blames_next = ~key & (next_is_wrong <= observation_is_wrong)
    blames_observation = ~key & ~blames_next
    links.wrong_next[first[blames_next]] = at[blames_next]
    links.wrong_observation[first[blames_observation] + 1] = at[blames_observation]
    links.wrong_key[first[key] + 1] = True
    successor = np.where(links.wrong_next, current.observed_next, rows.successor)
    shifted = np.vstack([np.full((1, len(magnitude)), np.nan), current.stated[:-1]])
    observation = np.where(links.wrong_observation, shifted, rows.observation)
    return replace(links, rows=replace(rows, successor=successor, observation=observation))


def _broken(held: Trajectories, magnitude: Numbers) -> Mask:
    distance = np.abs(held.stated - held.observed_next)
    broken: Mask = distance > _SAME * magnitude + 1e-9  # unknown is not broken
    return broken


def cost(scores: Numbers, limit: NDArray[np.float64]) -> Numbers:
    """Weigh errors: next to nothing within the thresholds, and slowly more beyond, whatever the unit."""
    weighed = np.log1p(np.nan_to_num(scores / np.where(limit > 0, limit, 1.0), nan=0.0, posinf=1e12) ** 4)
    total: Numbers = weighed.sum(axis=1)
    return total


def continued_elsewhere(held: Trajectories, told: Mask | None = None) -> tuple[Mask, dict[int, str]]:
    """Mark rows whose stated next observation stands in another place, and say which key differs there.

    Rows that are `told` of already are left out.
    """
    marked = np.zeros(len(held), np.bool_)
    keys: dict[int, str] = {}
    stated = ~np.isnan(held.stated).any(axis=1)
    last = np.where(held.follows[:, None], np.abs(held.stated - held.observed_next), np.inf).max(axis=1) > 0
    asked = np.flatnonzero(stated & ~held.terminated & last & (True if told is None else ~told))
    if not len(asked) or not held.observation.shape[1]:
        return marked, keys
    places: dict[bytes, int] = {}
    for row, content in enumerate(held.observation):
        found = content.tobytes()
        places[found] = -1 if found in places else row  # seen twice it says nothing
    for row in asked.tolist():
        there = places.get(held.stated[row].tobytes(), -1)
        if there >= 0 and there not in (row, row + 1):
            marked[row] = True
            keys[row] = _differing(held, row, there)
    return marked, keys


def _differing(held: Trajectories, row: int, there: int) -> str:
    here, other = (held.keys.row(index, named=True) for index in (row, there))
    for name in ("source", "agent_id", "episode_id"):
        if here[name] != other[name]:
            return name
    return "step"
