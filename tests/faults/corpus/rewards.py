"""Rewards that are not what was earned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.faults.corpus.log import Array, Fault, Log, Rng, Truth, joined, some_episodes, some_rows

_REWARD = frozenset({"reward"})
_DENSE = ("pendulum", "arena")  # CartPole's reward is 1, always: these change nothing there


def _in_episodes(earned: Callable[[Array, Rng], Array]) -> Callable[[Log, Rng, float], Truth]:
    def damage(log: Log, rng: Rng, share: float) -> Truth:
        chosen = some_episodes(log, rng, share)
        for rows in chosen:
            log["reward"][rows] = earned(log["reward"][rows], rng)
        return Truth(joined(chosen), _REWARD)

    return damage


def _in_rows(earned: Callable[[Array, Rng], Array]) -> Callable[[Log, Rng, float], Truth]:
    def damage(log: Log, rng: Rng, share: float) -> Truth:
        rows = some_rows(log, rng, share)
        log["reward"][rows] = earned(log["reward"][rows], rng)
        return Truth(rows, _REWARD)

    return damage


def _clipped(log: Log, rng: Rng, share: float) -> Truth:
    low, high = np.quantile(log["reward"], [0.1, 0.9])
    rows = joined(some_episodes(log, rng, share))
    before = log["reward"][rows]
    log["reward"][rows] = np.clip(before, low, high)
    return Truth(rows[log["reward"][rows] != before], _REWARD)


def _delayed(rewards: Array, rng: Rng) -> Array:
    return np.concatenate([[0.0], rewards[:-1]])


def _at_the_end(rewards: Array, rng: Rng) -> Array:
    return np.append(np.zeros(len(rewards) - 1), rewards.sum())


REWARD_FAULTS = (
    Fault("reward_clipped", "rewards are clipped to the middle 80% of their range", _clipped, _DENSE),
    Fault("reward_scaled", "rewards are ten times too large", _in_episodes(lambda r, g: r * 10)),
    Fault("reward_shrunk", "rewards are a tenth of what they were", _in_episodes(lambda r, g: r / 10)),
    Fault("reward_negated", "costs are logged as rewards", _in_episodes(lambda r, g: -r)),
    Fault("reward_delayed", "rewards come one step late", _in_episodes(_delayed)),
    Fault("reward_at_end", "the sum of the rewards comes with the last step", _in_episodes(_at_the_end)),
    Fault("reward_zero", "no reward is logged as 0", _in_rows(lambda r, g: np.zeros(len(r)))),
    Fault("reward_missing", "rewards are missing", _in_rows(lambda r, g: np.full(len(r), np.nan))),
    Fault(
        "reward_shuffled", "rewards stand beside other rows", _in_rows(lambda r, g: g.permutation(r)), _DENSE
    ),
    Fault("reward_noisy", "rewards have noise of 0.5", _in_rows(lambda r, g: r + g.normal(0, 0.5, len(r)))),
)
