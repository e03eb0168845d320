"""Endings and clocks: what ends, or ticks, otherwise than in a reference is told; what does not is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete
from schemas.steps import Steps
from validation.audits.clock import check_clock
from validation.audits.endings import check_endings
from validation.audits.finding import Finding

_SPEC = ArchiveSpec(name="walks", observation=Box(shape=(2,)), action=Discrete(n=2))
_LIMIT = 12
_START = datetime(2026, 5, 1, tzinfo=UTC)
Row = dict[str, Any]
Change = Callable[[list[Row]], None]


def _episodes(count: int, seed: int) -> list[list[Row]]:
    """Make episodes that are terminated somewhere, or truncated at a limit."""
    rng = np.random.default_rng(seed)
    episodes = []
    for number in range(count):
        length = min(int(rng.integers(3, 2 * _LIMIT)), _LIMIT)
        seen = rng.normal(size=(length + 1, 2)).astype(np.float32)
        begins = _START + timedelta(minutes=number)
        rows: list[Row] = [
            {
                "source": "lab",
                "agent_id": "walker",
                "episode_id": f"{seed}-{number}",
                "step": step,
                "observation": seen[step],
                "action": 0,
                "reward": 1.0,
                "next_observation": seen[step + 1],
                "terminated": step == length - 1 < _LIMIT - 1,
                "truncated": step == _LIMIT - 1,
                "event_time": begins + timedelta(seconds=step + rng.uniform(0, 0.5)),
            }
            for step in range(length)
        ]
        episodes.append(rows)
    return episodes


def _steps(episodes: list[list[Row]]) -> Steps:
    return Steps.from_rows([row for rows in episodes for row in rows], _SPEC)


def _changed(change: Change, every: int = 10) -> Steps:
    episodes = _episodes(100, seed=2)
    for rows in episodes[::every]:
        change(rows)
    return _steps(episodes)


_REFERENCE = _steps(_episodes(100, seed=1))


def _endings(steps: Steps, reference: Steps = _REFERENCE) -> Mapping[str, Finding]:
    return {finding.check: finding for finding in check_endings(reference.table, steps.table, _SPEC)}


def _clock(steps: Steps, reference: Steps = _REFERENCE) -> Mapping[str, Finding]:
    return {finding.check: finding for finding in check_clock(reference.table, steps.table)}


@pytest.mark.parametrize("seed", range(2, 12))
def test_nothing_is_said_of_what_ends_and_ticks_as_the_reference_does(seed: int) -> None:
    steps = _steps(_episodes(100, seed))
    assert not _endings(steps)
    assert not _clock(steps)


def _without_end(rows: list[Row]) -> None:
    rows[-1] |= {"terminated": False, "truncated": False}


def _with_both(rows: list[Row]) -> None:
    rows[-1] |= {"terminated": True, "truncated": True}


def _with_the_other(rows: list[Row]) -> None:
    rows[-1] |= {"terminated": rows[-1]["truncated"], "truncated": rows[-1]["terminated"]}


@pytest.mark.parametrize(
    ("change", "check"),
    [(_without_end, "incomplete"), (_with_both, "both_ends"), (_with_the_other, "time_limit")],
)
def test_episodes_that_end_otherwise_are_counted(change: Change, check: str) -> None:
    found = _endings(_changed(change, every=5))
    assert found[check].subject == "episodes"
    assert found[check].column in ("terminated", "truncated")
    assert found[check].total == 100
    assert 2 <= found[check].count <= 20


def test_an_end_that_the_reference_has_not_is_told() -> None:
    def all_the_way(rows: list[Row]) -> None:
        rows[-1] |= {"terminated": False, "truncated": True}

    found = _endings(_steps(_episodes(100, seed=2)), reference=_changed(all_the_way, every=1))
    assert (found["new_end"].column, found["new_end"].count > 10) == ("terminated", True)


def test_a_reference_that_ends_so_too_says_nothing() -> None:
    changed = _changed(_without_end)
    assert not _endings(changed, reference=changed)


def test_two_of_a_hundred_may_be_chance() -> None:
    assert not _endings(_changed(_without_end, every=50))


def test_the_newest_episode_may_still_be_going_on() -> None:
    episodes = _episodes(40, seed=3)
    for agent in range(4):
        for rows in episodes[agent::4]:
            for row in rows:
                row["agent_id"] = f"walker-{agent}"
        _without_end(episodes[36 + agent])
    assert not _endings(_steps(episodes))


def test_a_next_observation_of_the_next_episode_is_found() -> None:
    episodes = _episodes(100, seed=2)
    for rows, following in zip(episodes[::10], episodes[1::10], strict=True):
        rows[-1]["next_observation"] = following[0]["observation"]
    found = _endings(_steps(episodes))["reset_observation"]
    assert (found.column, found.count) == ("next_observation", 10)


def test_episodes_that_all_begin_alike_are_no_resets() -> None:
    episodes = [*_episodes(100, seed=2)]
    for rows in episodes:
        rows[0]["observation"] = np.zeros(2, np.float32)
        rows[-1]["next_observation"] = np.zeros(2, np.float32)
    assert not _endings(_steps(episodes))


def _an_hour_later(rows: list[Row]) -> None:
    for row in rows[2:]:
        row["event_time"] += timedelta(hours=1)


def _stopped(rows: list[Row]) -> None:
    for row in rows:
        row["event_time"] = rows[0]["event_time"]


def _without_time(rows: list[Row]) -> None:
    for row in rows:
        row["event_time"] = None


def test_a_clock_that_jumps_or_stops_is_found() -> None:
    jumped, stopped = _clock(_changed(_an_hour_later)), _clock(_changed(_stopped))
    assert (jumped["jump"].column, jumped["jump"].count) == ("event_time", 10)
    assert jumped["jump"].examples[0]["seconds"] > 3599
    assert stopped["stopped"].column == "event_time"
    assert not _clock(_changed(_an_hour_later), reference=_changed(_an_hour_later))


def test_what_has_no_time_and_what_lacks_steps_is_not_judged() -> None:
    assert not _clock(_changed(_without_time, every=1))
    gaps = _episodes(100, seed=2)
    _an_hour_later(gaps[0])
    del gaps[0][1:3]
    assert not _clock(_steps(gaps))


def test_too_small_a_reference_says_nothing() -> None:
    few = _steps(_episodes(20, seed=1))
    assert not _endings(_changed(_without_end, every=1), reference=few)
    assert not _clock(_changed(_stopped, every=1), reference=few)
    nothing = Steps(_REFERENCE.table.slice(0, 0), _SPEC)
    assert not _endings(nothing)
    assert not _clock(nothing)
    assert not _endings(_REFERENCE, reference=nothing)
    assert not _clock(_REFERENCE, reference=nothing)
