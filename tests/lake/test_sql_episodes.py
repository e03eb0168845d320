"""The view of episodes is told from the steps, with what audits found beside it."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replaylake.flows.auditing import audit_archive
from schemas.step import steps_schema
from tests.lake.archives import SPEC, append, make, row
from tests.lake.test_sql_days import dated_logs

_KEY = ("source", "agent_id", "episode_id")
_TOLD = (
    *("rows", "length", "first_step", "last_step", "episode_return", "missing_rewards"),
    *("missing_propensities", "complete", "started_at", "ended_at", "policy_versions"),
    *("flagged_rows", "quality_score"),
)
_OF_ONE_ROW = ("date", "ending")
Rows = Sequence[dict[str, Any]]


@settings(max_examples=10, deadline=None)
@given(log=dated_logs(), more=st.lists(st.tuples(*[st.booleans()] * 4), min_size=24, max_size=24))
def test_episodes_equal_the_reference(log: Rows, more: list[tuple[bool, ...]]) -> None:
    filled = [
        held
        | {
            "action_log_prob": -0.5 if choices[0] else None,
            "policy_version": f"p{choices[1]:d}" if choices[2] else None,
            "flags": ["outlier(reward)"] if choices[3] else [],
            "quality_score": choices[1] / 2,
            "priority": 1.0,
            "date": str(held["event_time"].date()),
        }
        for held, choices in zip(log, more, strict=False)
    ]
    with tempfile.TemporaryDirectory() as folder:
        lake, archive = make(Path(folder))
        archive.table("steps").append(pa.Table.from_pylist(filled, schema=steps_schema(SPEC)), {}, {})
        names = (*_KEY, *_TOLD, *_OF_ONE_ROW)
        found = [
            dict(zip(names, held, strict=True))
            for held in lake.sql(f"select {', '.join(names)} from demo.episodes").rows()
        ]
    episodes = defaultdict(list)
    for held in filled:
        if held["episode_id"] is not None:
            episodes[tuple(held[name] for name in _KEY)].append(held)
    assert sorted(tuple(held[name] for name in _KEY) for held in found) == sorted(episodes)
    for held in found:
        rows = episodes[tuple(held[name] for name in _KEY)]
        assert {name: held[name] for name in _TOLD} == _told(rows)
        numbered = [one for one in rows if one["step"] is not None]
        first = [one["date"] for one in numbered or rows if one["step"] == held["first_step"]]
        last = [_ending(one) for one in numbered if one["step"] == held["last_step"]]
        assert held["date"] in first
        assert held["ending"] in (last or [None])


def _told(rows: Rows) -> dict[str, Any]:
    numbered = [held for held in rows if held["step"] is not None]
    steps = sorted(held["step"] for held in numbered)
    ends = [held["step"] for held in rows if _ending(held)]
    return {
        "rows": len(rows),
        "length": len(set(steps)),
        "first_step": steps[0] if steps else None,
        "last_step": steps[-1] if steps else None,
        "episode_return": sum(held["reward"] or 0.0 for held in rows),
        "missing_rewards": sum(held["reward"] is None for held in numbered),
        "missing_propensities": sum(held["action_log_prob"] is None for held in numbered),
        "complete": bool(steps) and steps == list(range(len(rows))) and ends == steps[-1:],
        "started_at": min(held["event_time"] for held in rows),
        "ended_at": max(held["event_time"] for held in rows),
        "policy_versions": sorted({held["policy_version"] for held in rows if held["policy_version"]}),
        "flagged_rows": sum(bool(held["flags"]) for held in rows),
        "quality_score": sum(held["quality_score"] for held in rows) / len(rows),
    }


def _ending(held: dict[str, Any]) -> str | None:
    if held["terminated"]:
        return "terminated"
    return "truncated" if held["truncated"] else None


def test_what_audits_found_is_beside_it(tmp_path: Path) -> None:
    """Of each episode the newest audit's, also where it has grown since; null where none has looked."""
    lake, archive = make(tmp_path)
    append(archive, row(0), row(2), row(0, episode_id="f", terminated=True), row(0, agent_id="b"))
    audit_archive(lake, "demo")
    append(archive, row(1), row(3, terminated=True))
    append(archive, row(0, episode_id="g"))
    query = """
        select agent_id, episode_id, length, complete, gaps, missing_steps, audited_version
        from demo.episodes order by episode_id, agent_id
    """
    b = ("b", "e", 1, False, 0, 0, 1)
    f = ("default", "f", 1, True, 0, 0, 1)
    assert lake.sql(query).rows() == [
        b,
        ("default", "e", 4, True, 1, 1, 1),
        f,
        ("default", "g", 1, False, None, None, None),
    ]
    audit_archive(lake, "demo")
    assert lake.sql(query).rows() == [
        b,
        ("default", "e", 4, True, 0, 0, 3),
        f,
        ("default", "g", 1, False, 0, 0, 3),
    ]


def test_an_episode_that_went_on_after_an_end_is_not_complete_for_audits_and_the_view(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0, truncated=True), row(1, terminated=True), row(0, episode_id="f", terminated=True))
    query = "select complete from demo.episodes order by episode_id"
    assert lake.sql(query).rows() == [(False,), (True,)]
    audit_archive(lake, "demo")
    audited = archive.table("episodes")
    told = [held for name in audited.file_names() for held in audited.read(name).to_pylist()]
    assert {held["episode_id"]: held["complete"] for held in told} == {"e": False, "f": True}


@pytest.mark.parametrize("ends", [(True, False), (False, True)])
def test_a_last_step_that_is_there_twice_ends_as_the_row_that_says_more(
    tmp_path: Path, ends: tuple[bool, bool]
) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0, event_id="a"))
    for number, terminated in enumerate(ends):
        append(archive, row(1, event_id=f"b{number}", terminated=terminated))
    assert lake.sql("select ending from demo.episodes").rows() == [("terminated",)]
