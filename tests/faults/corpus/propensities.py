"""Propensities, versions and discounts that are not those of the policy that acted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.faults.corpus.log import Array, Fault, Log, Rng, Truth, joined, some_episodes, some_rows

_PROPENSITY = frozenset({"action_log_prob"})


def _in_episodes(said: Callable[[Array, Rng], Array]) -> Callable[[Log, Rng, float], Truth]:
    def damage(log: Log, rng: Rng, share: float) -> Truth:
        chosen = some_episodes(log, rng, share)
        for rows in chosen:
            log["action_log_prob"][rows] = said(log["action_log_prob"][rows], rng)
        return Truth(joined(chosen), _PROPENSITY)

    return damage


def _missing(log: Log, rng: Rng, share: float) -> Truth:
    rows = some_rows(log, rng, share)
    log["action_log_prob"][rows] = np.nan
    return Truth(rows, _PROPENSITY)


def _of_others(log: Log, rng: Rng, share: float) -> Truth:
    rows = some_rows(log, rng, share)
    log["action_log_prob"][rows] = log["action_log_prob"][rng.permutation(rows)].copy()
    return Truth(rows, _PROPENSITY)


def _label(column: str, value: str) -> Callable[[Log, Rng, float], Truth]:
    def damage(log: Log, rng: Rng, share: float) -> Truth:
        rows = joined(some_episodes(log, rng, share))
        log[column][rows] = value
        return Truth(rows, frozenset({column}))

    return damage


def _discount(log: Log, rng: Rng, share: float) -> Truth:
    rows = joined(some_episodes(log, rng, share))
    log["discount"][rows] = 0.9
    return Truth(rows, frozenset({"discount"}))


def _mean_over_episode(log_probs: Array, rng: Rng) -> Array:
    return np.full(len(log_probs), np.log(np.exp(log_probs).mean()))


PROPENSITY_FAULTS = (
    Fault(
        "propensity_constant",
        "every action has the propensity 0.5",
        _in_episodes(lambda p, g: np.full(len(p), np.log(0.5))),
    ),
    Fault("propensity_mean", "the propensity is the mean over the episode", _in_episodes(_mean_over_episode)),
    Fault(
        "propensity_not_log",
        "the propensity itself stands where its logarithm belongs",
        _in_episodes(lambda p, g: np.exp(p)),
    ),
    Fault("propensity_base_2", "the logarithm is to the base of 2", _in_episodes(lambda p, g: p / np.log(2))),
    Fault(
        "propensity_softened",
        "the propensity is that of a policy at twice the temperature",
        _in_episodes(lambda p, g: p / 2),
    ),
    Fault("propensity_of_others", "the propensity is that of another row", _of_others),
    Fault("propensity_missing", "propensities are missing", _missing),
    Fault("version_stale", "the policy's version is that of the one before", _label("policy_version", "v2")),
    Fault("discount_wrong", "the discount is another one", _discount),
)
