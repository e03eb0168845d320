"""Actions that were not the ones that acted."""

from __future__ import annotations

import numpy as np

from tests.faults.corpus.log import Fault, Log, Rng, Truth, joined, some_episodes, some_rows

_ACTION = frozenset({"action"})
_DISCRETE = ("cartpole", "arena")
_CONTINUOUS = ("pendulum",)
_MASKED = ("arena",)


def _late(log: Log, rng: Rng, share: float) -> Truth:
    chosen = some_episodes(log, rng, share)
    for rows in chosen:
        log["action"][rows[1:]] = log["action"][rows[:-1]].copy()
    return Truth(joined([rows[1:] for rows in chosen]), _ACTION)


def _early(log: Log, rng: Rng, share: float) -> Truth:
    chosen = some_episodes(log, rng, share)
    for rows in chosen:
        log["action"][rows[:-1]] = log["action"][rows[1:]].copy()
    return Truth(joined([rows[:-1] for rows in chosen]), _ACTION)


def _relabelled(log: Log, rng: Rng, share: float) -> Truth:
    rows = joined(some_episodes(log, rng, share))
    count = int(log["action"].max()) + 1
    log["action"][rows] = np.roll(np.arange(count), 1)[log["action"][rows]]
    return Truth(rows, _ACTION)


def _counted_from_1(log: Log, rng: Rng, share: float) -> Truth:
    rows = joined(some_episodes(log, rng, share))
    log["action"][rows] += 1
    return Truth(rows, _ACTION)


def _not_executed(log: Log, rng: Rng, share: float) -> Truth:
    rows = some_rows(log, rng, share)
    log["action"][rows] = log["action"][rng.permutation(rows)].copy()
    return Truth(rows, _ACTION)


def _constant(log: Log, rng: Rng, share: float) -> Truth:
    rows = joined(some_episodes(log, rng, share))
    log["action"][rows] = 0
    return Truth(rows, _ACTION)


def _clipped(log: Log, rng: Rng, share: float) -> Truth:
    rows = joined(some_episodes(log, rng, share))
    before = log["action"][rows]
    log["action"][rows] = np.clip(before, -0.8, 0.8)
    return Truth(rows[(log["action"][rows] != before).any(axis=1)], _ACTION)


def _scaled(log: Log, rng: Rng, share: float) -> Truth:
    rows = joined(some_episodes(log, rng, share))
    log["action"][rows] /= 2  # scaled to -1 to 1, as many policies act
    return Truth(rows, _ACTION)


def _out_of_range(log: Log, rng: Rng, share: float) -> Truth:
    rows = some_rows(log, rng, share)
    log["action"][rows] = log["action"][rows] * 3 + 5
    return Truth(rows, _ACTION)


def _mask_inverted(log: Log, rng: Rng, share: float) -> Truth:
    rows = joined(some_episodes(log, rng, share))
    log["action_mask"][rows] = ~log["action_mask"][rows]
    return Truth(rows, frozenset({"action_mask", "action"}))


ACTION_FAULTS = (
    Fault("action_late", "the action is that of the step before", _late),
    Fault("action_early", "the action is that of the step after", _early),
    Fault("action_relabelled", "the actions' numbers are those of another version", _relabelled, _DISCRETE),
    Fault("action_from_1", "the actions are counted from 1", _counted_from_1, _DISCRETE),
    Fault("action_not_executed", "the action is not the one that was executed", _not_executed),
    Fault("action_constant", "the action is 0, whatever was done", _constant),
    Fault("action_clipped", "the torque is clipped before it is logged", _clipped, _CONTINUOUS),
    Fault("action_scaled", "the torque is logged as a share of its maximum", _scaled, _CONTINUOUS),
    Fault("action_out_of_range", "the action is none of the space", _out_of_range),
    Fault("mask_inverted", "the mask says which actions are not possible", _mask_inverted, _MASKED),
)
