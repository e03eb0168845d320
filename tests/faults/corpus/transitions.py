"""Observations and next observations that do not belong together: mistakes of whoever wrote the log."""

from __future__ import annotations

import numpy as np

from tests.faults.corpus.log import Fault, Log, Rng, Truth, an_element, joined, some_episodes, some_rows

_NEXT = frozenset({"next_observation"})
_BOTH = frozenset({"observation", "next_observation"})


def _elements_swapped(log: Log, rng: Rng, share: float) -> Truth:
    one, other = rng.choice(log.elements, 2, replace=False).tolist()
    rows = some_rows(log, rng, share)
    held = log["observation"]
    held[rows[:, None], [one, other]] = held[rows[:, None], [other, one]]
    return Truth(rows, frozenset({f"observation[{one}]", f"observation[{other}]"}))


def _columns_swapped(log: Log, rng: Rng, share: float) -> Truth:
    rows = joined(some_episodes(log, rng, share))
    before, after = log["observation"][rows], log["next_observation"][rows]
    log["observation"][rows], log["next_observation"][rows] = after, before
    return Truth(rows, _BOTH)


def _off_by_one(log: Log, rng: Rng, share: float) -> Truth:
    chosen = some_episodes(log, rng, share)
    for rows in chosen:
        log["next_observation"][rows[:-1]] = log["next_observation"][rows[1:]].copy()
    return Truth(joined([rows[:-1] for rows in chosen]), _NEXT)


def _stale(log: Log, rng: Rng, share: float) -> Truth:
    rows = some_rows(log, rng, share)
    log["next_observation"][rows] = log["observation"][rows]
    return Truth(rows, _NEXT)


def _of_others(log: Log, rng: Rng, share: float) -> Truth:
    rows = some_rows(log, rng, share)
    log["next_observation"][rows] = log["next_observation"][np.roll(rows, 1)].copy()
    return Truth(rows, _NEXT)


def _first_of_next_episode(log: Log, rng: Rng, share: float) -> Truth:
    episodes = log.episodes()
    chosen = np.sort(rng.choice(len(episodes) - 1, max(1, round(share * len(episodes))), replace=False))
    rows = np.array([episodes[place][-1] for place in chosen])
    log["next_observation"][rows] = log["observation"][rows + 1]
    return Truth(rows, _NEXT)


def _missing_at_the_end(log: Log, rng: Rng, share: float) -> Truth:
    lasts = np.array([rows[-1] for rows in log.episodes()])
    lasts = lasts[log["truncated"][lasts]]
    rows = rng.choice(lasts, max(1, round(share * len(lasts))), replace=False)
    log.unknown_next[rows] = True
    return Truth(rows, _NEXT)


def _future_leaked(log: Log, rng: Rng, share: float) -> Truth:
    element = an_element(log, rng)
    rows = joined(some_episodes(log, rng, share))
    log["observation"][rows, element] = log["next_observation"][rows, element]
    return Truth(rows, frozenset({f"observation[{element}]"}))


def _reward_leaked(log: Log, rng: Rng, share: float) -> Truth:
    element = an_element(log, rng)
    rows = joined(some_episodes(log, rng, share))
    log["observation"][rows, element] = log["reward"][rows]
    return Truth(rows, frozenset({f"observation[{element}]"}))


TRANSITION_FAULTS = (
    Fault(
        "elements_swapped",
        "two elements of the observation are written in each other's place",
        _elements_swapped,
    ),
    Fault("columns_swapped", "observation and next_observation are exchanged", _columns_swapped),
    Fault("next_off_by_one", "next_observation is that of the step after", _off_by_one),
    Fault("next_stale", "next_observation is the observation itself", _stale),
    Fault("next_of_others", "next_observation is that of another row", _of_others),
    Fault(
        "next_after_reset",
        "the last next_observation is the first of the next episode",
        _first_of_next_episode,
    ),
    Fault(
        "next_missing",
        "truncated episodes end without a next_observation",
        _missing_at_the_end,
        ("pendulum", "cartpole", "arena"),
    ),
    Fault("future_leaked", "an element of the observation is already that of the next step", _future_leaked),
    Fault("reward_leaked", "an element of the observation holds the reward", _reward_leaked),
)
