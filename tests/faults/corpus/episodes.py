"""Episodes that were cut, doubled, mixed or put out of order."""

from __future__ import annotations

import itertools

import numpy as np

from tests.faults.corpus.log import Array, Fault, Log, Rng, Truth, joined, some_episodes, some_rows, starts

_ENDS = frozenset({"terminated", "truncated"})
_STEP = frozenset({"step"})
_SPLICE = frozenset({"observation", "next_observation"})


def _doubled(log: Log, rng: Rng, share: float) -> Truth:
    before = len(log)
    chosen = joined(some_episodes(log, rng, share))
    log.take(np.concatenate([np.arange(before), chosen]))
    copies = np.arange(before, len(log))
    log["episode_id"][copies] = [f"{name}-again" for name in log["episode_id"][copies]]
    return Truth(copies, frozenset({"episode_id"}))


def _steps_doubled(log: Log, rng: Rng, share: float) -> Truth:
    rows = some_rows(log, rng, share)
    order = np.sort(np.concatenate([np.arange(len(log)), rows]))
    log.take(order)
    return Truth(np.flatnonzero(np.diff(order) == 0) + 1, _STEP)


def _steps_lost(log: Log, rng: Rng, share: float) -> Truth:
    inside = np.zeros(len(log), np.bool_)
    for rows in log.episodes():
        inside[rows[1:-1]] = True
    lost = some_rows(log, rng, share, inside)
    kept = np.setdiff1d(np.arange(len(log)), lost)
    log.take(kept)
    return Truth(np.flatnonzero(np.diff(kept) > 1) + 1, _STEP)


def _start_lost(log: Log, rng: Rng, share: float) -> Truth:
    lost, beside = [], []
    for rows, start in starts(some_episodes(log, rng, share), rng):
        lost.append(rows[:start])
        beside.append(rows[start])
    kept = np.setdiff1d(np.arange(len(log)), joined(lost))
    log.take(kept)
    return Truth(np.searchsorted(kept, beside), _STEP)


def _end_lost(log: Log, rng: Rng, share: float) -> Truth:
    lost, beside = [], []
    for rows, start in starts(some_episodes(log, rng, share), rng, 0.5, 0.9):
        lost.append(rows[start:])
        beside.append(rows[start - 1])
    kept = np.setdiff1d(np.arange(len(log)), joined(lost))
    log.take(kept)
    return Truth(np.searchsorted(kept, beside), _ENDS)


def _ends_lost(log: Log, rng: Rng, share: float) -> Truth:
    lasts = np.array([rows[-1] for rows in some_episodes(log, rng, share)])
    log["terminated"][lasts] = log["truncated"][lasts] = False
    return Truth(lasts, _ENDS)


def _ends_mixed_up(log: Log, rng: Rng, share: float) -> Truth:
    lasts = np.array([rows[-1] for rows in some_episodes(log, rng, share)])
    terminated = log["terminated"][lasts]
    log["terminated"][lasts], log["truncated"][lasts] = log["truncated"][lasts], terminated
    return Truth(lasts, _ENDS)


def _ends_both(log: Log, rng: Rng, share: float) -> Truth:
    lasts = np.array([rows[-1] for rows in some_episodes(log, rng, share)])
    log["terminated"][lasts] = log["truncated"][lasts] = True
    return Truth(lasts, _ENDS)


def _ends_early(log: Log, rng: Rng, share: float) -> Truth:
    rows = np.array([rows[start] for rows, start in starts(some_episodes(log, rng, share), rng, 0.2, 0.8)])
    log["terminated"][rows] = True
    return Truth(rows, frozenset({"terminated"}))


def _tail_of_another(log: Log, rng: Rng, share: float) -> Truth:
    chosen = some_episodes(log, rng, 2 * share)
    touched = []
    for one, other in zip(chosen[::2], chosen[1::2], strict=False):
        size = min(len(one), len(other)) // 2
        _copy_what_happened(log, other[-size:], one[-size:])
        touched.append(one[-size:])
    return Truth(joined(touched), _SPLICE)


def _copy_what_happened(log: Log, source: Array, target: Array) -> None:
    for name in log.columns:
        if name not in ("event_id", "source", "agent_id", "episode_id", "step", "event_time"):
            log[name][target] = log[name][source]


def _shuffled(log: Log, rng: Rng, share: float) -> Truth:
    chosen = some_episodes(log, rng, share)
    for rows in chosen:
        log["step"][rows] = rng.permutation(log["step"][rows])
    return Truth(joined(chosen), frozenset({"step", "event_time", "next_observation"}))


def _one_id_for_two(log: Log, rng: Rng, share: float) -> Truth:
    by_agent: dict[str, list[Array]] = {}
    episodes = log.episodes()
    for rows in episodes:
        by_agent.setdefault(str(log["agent_id"][rows[0]]), []).append(rows)
    pairs = [pair for held in by_agent.values() for pair in itertools.pairwise(held)]
    chosen = rng.choice(len(pairs), max(1, round(share * len(episodes))), replace=False)
    for first, second in (pairs[place] for place in sorted(chosen)):
        log["episode_id"][second] = log["episode_id"][first[0]]
    return Truth(joined([pairs[place][1] for place in chosen]), frozenset({"step", "episode_id"}))


EPISODE_FAULTS = (
    Fault("episode_doubled", "an episode is there twice, under another id", _doubled),
    Fault("steps_doubled", "steps are there twice", _steps_doubled),
    Fault("steps_lost", "steps are missing inside episodes", _steps_lost),
    Fault("start_lost", "episodes begin in their middle", _start_lost),
    Fault("tail_lost", "episodes break off, without an end", _end_lost),
    Fault("ends_lost", "the last step does not say that it is the last", _ends_lost),
    Fault("ends_mixed_up", "terminated is logged as truncated, and the other way round", _ends_mixed_up),
    Fault("ends_both", "the last step is terminated and truncated", _ends_both),
    Fault("ends_early", "a step inside an episode is marked as its end", _ends_early),
    Fault("tail_of_another", "an episode goes on with what happened in another", _tail_of_another),
    Fault("steps_shuffled", "the steps of an episode are numbered in another order", _shuffled),
    Fault("episodes_merged", "two episodes have one id", _one_id_for_two),
)
