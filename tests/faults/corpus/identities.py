"""Agents, sources, clocks and worlds that were taken for others."""

from __future__ import annotations

import numpy as np

from tests.faults.corpus.log import Array, Fault, Log, Rng, Truth, joined, some_episodes, some_rows, starts

_TIME = frozenset({"event_time"})
_HOUR = np.timedelta64(3_600_000_000, "us")
_MULTI = ("arena",)
_SINGLE = ("cartpole", "pendulum")


def _agents_mixed_up(log: Log, rng: Rng, share: float) -> Truth:
    """Exchange the names of two agents of one episode, from some step on."""
    together: dict[str, list[Array]] = {}
    for rows in log.episodes():
        together.setdefault(str(log["episode_id"][rows[0]]), []).append(rows)
    names = sorted(together)
    touched = []
    for name in rng.choice(names, max(1, round(share * len(names))), replace=False):
        one, other = rng.choice(len(together[name]), 2, replace=False)
        length = min(len(together[name][one]), len(together[name][other]))
        start = int(rng.integers(1, max(2, length // 2)))
        first, second = together[name][one][start:length], together[name][other][start:length]
        held = log["agent_id"][first].copy()
        log["agent_id"][first], log["agent_id"][second] = log["agent_id"][second], held
        touched += [first, second]
    return Truth(joined(touched), frozenset({"agent_id", "observation", "next_observation"}))


def _rows_of_another_agent(log: Log, rng: Rng, share: float) -> Truth:
    """Write single rows under the name of another agent."""
    names = np.unique(log["agent_id"].astype(str))
    rows = some_rows(log, rng, share)
    log["agent_id"][rows] = [
        names[(np.searchsorted(names, str(name)) + 1) % len(names)] for name in log["agent_id"][rows]
    ]
    return Truth(rows, frozenset({"agent_id", "step"}))


def _unknown_agent(log: Log, rng: Rng, share: float) -> Truth:
    rows = joined(some_episodes(log, rng, share))
    log["agent_id"][rows] = "default"
    return Truth(rows, frozenset({"agent_id"}))


def _times_reversed(log: Log, rng: Rng, share: float) -> Truth:
    chosen = some_episodes(log, rng, share)
    for rows in chosen:
        log["event_time"][rows] = log["event_time"][rows[::-1]].copy()
    return Truth(joined(chosen), _TIME)


def _clock_jumped(log: Log, rng: Rng, share: float) -> Truth:
    touched = []
    for rows, start in starts(some_episodes(log, rng, share), rng):
        log["event_time"][rows[start:]] += _HOUR
        touched.append(rows[start:])
    return Truth(joined(touched), _TIME)


def _clock_stopped(log: Log, rng: Rng, share: float) -> Truth:
    chosen = some_episodes(log, rng, share)
    for rows in chosen:
        log["event_time"][rows] = log["event_time"][rows[0]]
    return Truth(joined(chosen), _TIME)


def _clock_at_zero(log: Log, rng: Rng, share: float) -> Truth:
    rows = some_rows(log, rng, share)
    log["event_time"][rows] = np.datetime64(0, "us")
    return Truth(rows, _TIME)


def _speed_in_other_unit(log: Log, rng: Rng, share: float) -> Truth:
    rows = joined(some_episodes(log, rng, share))
    log["speed"][rows] *= 3.6
    return Truth(rows, frozenset({"speed"}))


IDENTITY_FAULTS = (
    Fault(
        "agents_mixed_up",
        "two agents of an episode are taken for each other from some step on",
        _agents_mixed_up,
        _MULTI,
    ),
    Fault(
        "rows_of_another_agent", "single rows are written under another agent's name", _rows_of_another_agent
    ),
    Fault("agent_unknown", "episodes are written under the name of no agent", _unknown_agent),
    Fault("times_reversed", "the times of an episode run backwards", _times_reversed),
    Fault("clock_jumped", "the clock goes on an hour later", _clock_jumped),
    Fault("clock_stopped", "every step of an episode has one time", _clock_stopped),
    Fault("clock_at_zero", "the clock says 1970", _clock_at_zero),
    Fault("speed_in_kmh", "an extra column is logged in another unit", _speed_in_other_unit, _MULTI),
)
