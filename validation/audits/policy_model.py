"""A policy model: which action follows from an observation, learned from clean experience."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.audits.forward_model import one_thread
from validation.audits.shares import Share, compare
from validation.audits.trajectories import Mask, Numbers, Trajectories

_FEWEST_ROWS = 500
_FEW_VALUES = 32  # an action of so few whole numbers is a choice
_SKILL = 0.05  # of what is unknown without the observation, that at least the model must tell
_LEVELS = (0.9, 0.99)
_TREES: dict[str, Any] = {"max_iter": 40, "max_leaf_nodes": 15, "early_stopping": False, "random_state": 0}


@dataclass(frozen=True, slots=True)
class Surprises:
    """Hold how surprising the current actions are, and the share of those above a level of the reference."""

    current: Numbers
    share: Share


def action_surprises(known: Trajectories, held: Trajectories) -> dict[str, Surprises]:
    """Learn each leaf of the action on half of the reference's episodes, and compare with the other half.

    An action that the observation says nothing about, such as a random one, is left out.
    """
    said: dict[str, Surprises] = {}
    half: Mask = (np.random.default_rng(0).permutation(known.episodes) < known.episodes / 2)[known.episode]
    for index, name in enumerate(known.action_names):
        with one_thread():
            found = _learned(known, held, half, known.action[:, index], held.action[:, index])
        if found is None:
            continue
        usual, now = found
        shares = []
        for level in _LEVELS:
            limit = float(np.nanquantile(usual, level)) * 1.05 + 1e-9
            shares.append(compare(now > limit, held.episode, usual > limit, known.episode[~half]))
        best = max(shares, key=lambda share: (share.stands_out(1.4, 0.015), share.deviations))
        said[name] = Surprises(now, best)
    return said


def _learned(
    known: Trajectories, held: Trajectories, half: Mask, action: Numbers, current: Numbers
) -> tuple[Numbers, Numbers] | None:
    usable = np.isfinite(action) & half
    values, counts = np.unique(action[np.isfinite(action)], return_counts=True)
    if usable.sum() < _FEWEST_ROWS or (~half).sum() < _FEWEST_ROWS or len(values) < 2:
        return None
    judged = known.observation[~half], action[~half]
    if len(values) <= _FEW_VALUES and bool((values == np.round(values)).all()):
        return _chosen(known.observation[usable], action[usable], judged, (held.observation, current), counts)
    return _sized(known.observation[usable], action[usable], judged, (held.observation, current))


def _chosen(
    observation: Numbers,
    action: Numbers,
    judged: tuple[Numbers, Numbers],
    current: tuple[Numbers, Numbers],
    counts: NDArray[np.int64],
) -> tuple[Numbers, Numbers] | None:
    from sklearn.ensemble import HistGradientBoostingClassifier  # heavy, and only needed here

    if len(np.unique(action)) < 2:
        return None
    model = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=15, early_stopping=False, random_state=0
    )
    model.fit(observation, action)
    usual, now = (_unlikeliness(model, *rows) for rows in (judged, current))
    shares = counts / counts.sum()
    unknown = float(-(shares * np.log(shares)).sum())
    return (usual, now) if np.nanmean(usual) < (1 - _SKILL) * unknown else None


def _unlikeliness(model: Any, observation: Numbers, action: Numbers) -> Numbers:
    """Return minus the logarithm of the chance that the model gives the action."""
    place = np.searchsorted(model.classes_, action).clip(0, len(model.classes_) - 1)
    chance = model.predict_proba(observation)[np.arange(len(action)), place]
    chance = np.where(model.classes_[place] == action, chance, 0.0)
    held: Numbers = -np.log(np.maximum(chance, 1e-4))
    return held


def _sized(
    observation: Numbers, action: Numbers, judged: tuple[Numbers, Numbers], current: tuple[Numbers, Numbers]
) -> tuple[Numbers, Numbers] | None:
    from sklearn.ensemble import HistGradientBoostingRegressor  # heavy, and only needed here

    model = HistGradientBoostingRegressor(
        max_iter=40, max_leaf_nodes=15, early_stopping=False, random_state=0
    )
    model.fit(observation, action)
    usual, now = (np.abs(rows[1] - model.predict(rows[0])) for rows in (judged, current))
    unknown = float(np.nanmean(np.abs(judged[1] - np.nanmedian(action))))
    return (usual, now) if np.nanmean(usual) < (1 - _SKILL) * unknown else None
