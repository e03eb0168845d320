"""Transitions of some days are those of all days that fall on them."""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.lake.archives import append, make, row
from tests.lake.logs import logs
from tests.lake.reference import Transition, transitions

MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
_COLUMNS = "observation[1], action, reward, next_observation[1], terminated"


@st.composite
def dated_logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw steps of episodes that cross midnight once or twice; some rows stand on any other day."""
    turn = draw(st.integers(1, 7))
    log = []
    for held in draw(logs()):
        usual = min((held["step"] or 0) // turn, 2)
        day = draw(st.sampled_from([usual, usual, usual, 0, 1, 2]))
        log.append({**held, "event_time": MIDNIGHT + timedelta(days=day - 1, hours=1)})
    return log


def numbered(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Give rows what the reference tells them by: an event and an observation of their own."""
    own = {"source": "default", "agent_id": "default", "reward": 1.0, "next_observation": None}
    return [
        {**held, **own, "event_id": f"i{number}", "observation": [float(number)]}
        for number, held in enumerate(rows)
    ]


@settings(max_examples=20, deadline=None)
@given(
    log=dated_logs(),
    asked=st.sampled_from(
        [
            ("date = '2026-01-02'", DAYS[1:2]),
            ("date >= '2026-01-02'", DAYS[1:]),
            ("date < '2026-01-02'", DAYS[:1]),
            ("date in ('2026-01-01', '2026-01-03')", DAYS[::2]),
            ("date between '2026-01-01' and '2026-01-02'", DAYS[:2]),
        ]
    ),
)
@example(  # a step that was sent again after midnight, and went on there to an end
    log=numbered(
        row(1, event_time=MIDNIGHT),
        row(0, event_time=MIDNIGHT - timedelta(hours=1)),
        row(1, event_time=MIDNIGHT - timedelta(hours=1)),
        row(2, event_time=MIDNIGHT, terminated=True),
    ),
    asked=("date = '2026-01-02'", DAYS[1:2]),
)
def test_transitions_of_days(log: list[dict[str, Any]], asked: tuple[str, tuple[str, ...]]) -> None:
    condition, days = asked
    with tempfile.TemporaryDirectory() as folder:
        lake, archive = make(Path(folder))
        append(archive, *log)
        found = Counter(lake.sql(f"select {_COLUMNS} from demo.transitions where {condition}").rows())
        # What is named within a query of its own is read whole.
        all_days = f"select {_COLUMNS} from (from demo.transitions) where {condition}"
        assert Counter(lake.sql(all_days).rows()) == Counter(_plain(_on(days, log, transitions(log))))
        assert found == Counter(_plain(_expected(days, log)))


def _expected(days: Sequence[str], log: Sequence[dict[str, Any]]) -> Iterator[Transition]:
    """Iterate over the transitions; of an episode that is whole within the days no other row counts."""
    episodes = defaultdict(list)
    for number, held in enumerate(log):
        alone = number if held["episode_id"] is None else None
        episodes[held["source"], held["agent_id"], held["episode_id"], alone].append(held)
    for rows in episodes.values():
        chosen = [held for held in rows if _date(held) in days]
        yield from transitions(chosen) if _is_whole(chosen) else _on(days, rows, transitions(rows))


def _is_whole(rows: Sequence[dict[str, Any]]) -> bool:
    steps = sorted((held for held in rows if held["step"] is not None), key=lambda held: int(held["step"]))
    ended = bool(steps) and (steps[-1]["terminated"] or steps[-1]["truncated"])
    return ended and [held["step"] for held in steps] == list(range(len(steps)))


def _on(days: Sequence[str], log: Sequence[dict[str, Any]], found: Sequence[Transition]) -> list[Transition]:
    there = {held["observation"][0] for held in log if _date(held) in days}
    return [held for held in found if held.observation in there]


def _plain(found: Sequence[Transition] | Iterator[Transition]) -> list[tuple[Any, ...]]:
    return [tuple(held[:5]) for held in found]


def _date(held: dict[str, Any]) -> str:
    return str(held["event_time"].date())


def test_a_day_of_whole_episodes_leaves_other_days_unread(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0, event_time=MIDNIGHT), row(1, event_time=MIDNIGHT, terminated=True))
    later = MIDNIGHT + timedelta(days=9)
    append(archive, *(row(step, episode_id="f", event_time=later) for step in range(1000)))
    asked = "select count(*) from demo.transitions where date = '2026-01-02'"
    assert lake.sql(asked).rows() == [(2,)]
    plan = json.loads(lake.sql(f"explain (analyze, format json) {asked}").rows()[0][1])
    assert sum(scan["intermediate_rows"] for scan in _scans(plan["operator"])) == 2


def _scans(plan: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for operator in plan:
        if operator["type"] == "TABLE_SCAN":
            yield operator
        yield from _scans(operator.get("children", []))
