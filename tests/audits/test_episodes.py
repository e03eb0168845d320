"""The table of episodes equals a slow reference, and its findings name what is wrong."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.archive_spec import ArchiveSpec
from schemas.episodes import EPISODES_SCHEMA
from schemas.errors import StepsError
from schemas.spaces import Discrete
from tests.audits.episode_rows import IMAGES, START, VECTORS, episode, steps_of
from tests.audits.rollouts import rollout, spec_of
from validation.audits.consistency import check_consistency
from validation.audits.episodes import check_episodes, episode_table

NAN = math.nan
_SEEN: dict[str, list[Any]] = {
    "vectors": [[0.0, 1.0], [NAN, 1.0], [0.0, 2.0]],
    "images": [
        {"camera": b"\x00\x01", "speed": [0.5]},
        {"camera": b"\x00\x01", "speed": [NAN]},
        {"camera": b"\x02\x01", "speed": [0.5]},
    ],
}


def _reference(rows: list[dict[str, Any]], spec: ArchiveSpec) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Do what the table does, row by row."""
    by_key = defaultdict(list)
    for row in rows:
        if row["episode_id"] is not None:
            by_key[row["source"], row["agent_id"], row["episode_id"]].append(row)
    return {key: _one(held) for key, held in by_key.items()}


def _one(rows: list[dict[str, Any]]) -> dict[str, Any]:
    chosen: dict[int, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["event_id"]):
        if row["step"] is not None:
            chosen.setdefault(row["step"], row)
    held = [chosen[step] for step in sorted(chosen)]
    pairs = list(pairwise(held))
    told = [row for row, after in pairs if after["step"] == row["step"] + 1]
    ends = [row["terminated"] or row["truncated"] for row in held]
    wrong = sum(
        not _same(row["next_observation"], chosen[row["step"] + 1]["observation"])
        for row in told
        if row["next_observation"] is not None and not (row["terminated"] or row["truncated"])
    )
    times = [(row["event_time"], after["event_time"]) for row, after in pairs]
    known = [row["event_time"] for row in rows if row["event_time"] is not None]
    last = held[-1] if held else None
    made: dict[str, Any] = {
        "rows": len(rows),
        "length": len(held),
        "first_step": held[0]["step"] if held else None,
        "last_step": last["step"] if last else None,
        "missing_rewards": sum(row["reward"] is None for row in held),
        "missing_propensities": len(held),
        "ending": None,
        "gaps": len(pairs) - len(told),
        "missing_steps": sum(after["step"] - row["step"] - 1 for row, after in pairs),
        "duplicate_steps": sum(row["step"] is not None for row in rows) - len(held),
        "unnumbered_rows": sum(row["step"] is None for row in rows),
        "wrong_next_observations": wrong,
        "bad_ends": sum(ends[:-1]),
        "time_reversals": sum(b < a for a, b in times if a is not None and b is not None),
        "repeated_observations": sum(
            _same(row["observation"], chosen[row["step"] + 1]["observation"]) for row in told
        ),
        "started_at": min(known, default=None),
        "ended_at": max(known, default=None),
        "policy_versions": sorted({row["policy_version"] for row in rows if row["policy_version"]}),
        "flagged_rows": sum(bool(row["flags"]) for row in rows),
        "date": held[0]["date"] if held else None,
    }
    if last is not None:
        made["ending"] = "terminated" if last["terminated"] else "truncated" if last["truncated"] else None
    broken = ("gaps", "duplicate_steps", "unnumbered_rows", "bad_ends")
    made["complete"] = (
        made["first_step"] == 0 and made["ending"] is not None and not any(made[b] for b in broken)
    )
    made["episode_return"] = sum(row["reward"] for row in held if row["reward"] is not None) if held else None
    made["quality_score"] = sum(row["quality_score"] for row in rows) / len(rows)
    return made


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return all(_same(left[name], right[name]) for name in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right or (left != left and right != right))


def _rows(spec: ArchiveSpec) -> st.SearchStrategy[list[dict[str, Any]]]:
    seen = st.sampled_from(_SEEN[spec.name])
    times = st.none() | st.integers(0, 20).map(lambda seconds: START + timedelta(seconds=seconds))
    row = st.fixed_dictionaries(
        {
            "source": st.sampled_from("st"),
            "agent_id": st.sampled_from("ab"),
            "episode_id": st.sampled_from([None, "e", "f"]),
            "step": st.none() | st.integers(0, 6),
            "observation": seen,
            "next_observation": st.none() | seen,
            "reward": st.none() | st.sampled_from([0.5, -1.0, 3.0]),
            "terminated": st.booleans(),
            "truncated": st.booleans(),
            "event_time": times,
            "policy_version": st.sampled_from([None, "v2", "v1"]),
            "flags": st.sampled_from([None, [], ["between(reward)"]]),
            "quality_score": st.sampled_from([0.5, 1.0]),
            "date": st.sampled_from(["2026-01-31", "2026-02-01"]),
        }
    )
    return st.lists(row, max_size=30).map(
        lambda rows: [{**row, "event_id": f"{place:03}"} for place, row in enumerate(rows)]
    )


@pytest.mark.parametrize("spec", [VECTORS, IMAGES], ids=lambda spec: spec.name)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_table_equals_a_slow_reference(spec: ArchiveSpec, data: st.DataObject) -> None:
    rows = data.draw(_rows(spec))
    shuffled = data.draw(st.permutations(rows))
    table = episode_table(steps_of(spec, shuffled, landed=True), spec)
    expected = _reference(rows, spec)
    keys = [(row["source"], row["agent_id"], row["episode_id"]) for row in table.to_dicts()]
    assert keys == sorted(expected)
    for key, got in zip(keys, table.to_dicts(), strict=True):
        wanted = expected[key]
        for name, value in wanted.items():
            assert got[name] == value, (key, name)


def test_the_table_has_its_schema() -> None:
    for rows in ([], episode(3)):
        table = episode_table(steps_of(VECTORS, rows), VECTORS)
        assert table.to_arrow().cast(EPISODES_SCHEMA).schema == EPISODES_SCHEMA
        assert table.columns == EPISODES_SCHEMA.names


def test_a_clean_episode() -> None:
    (row,) = episode_table(steps_of(VECTORS, episode(4, policy_version="v1")), VECTORS).to_dicts()
    assert row["complete"] and row["flags"] == [] and row["ending"] == "terminated"
    assert row["episode_return"] == 4.0 and row["length"] == 4 and row["policy_versions"] == ["v1"]
    assert row["date"] == "2026-01-31" and row["ended_at"] == START + timedelta(seconds=3)
    assert row["quality_score"] is None and row["flagged_rows"] == 0


def test_the_date_is_that_of_the_first_step() -> None:
    late = episode(15)[::-1]
    assert episode_table(steps_of(VECTORS, late), VECTORS)["date"].to_list() == ["2026-01-31"]


_LATER = [{**row, "step": row["step"] + 3} for row in episode(3)]
_FAULTS: list[tuple[str, str | None, str, list[dict[str, Any]], float | None]] = [
    ("gap", "step", "warning", [row for row in episode(6) if row["step"] not in (2, 3)], 2.0),
    ("duplicate_step", "step", "warning", [*episode(3), {**episode(3)[1], "reward": 5.0}], 1.0),
    (
        "unnumbered_row",
        "step",
        "warning",
        [*episode(3), {**episode(1)[0], "event_id": "x", "step": None}],
        1.0,
    ),
    ("late_start", "step", "warning", _LATER, None),
    (
        "wrong_next_observation",
        "next_observation",
        "critical",
        episode(4, next_observation=[[float(step), 1.0] for step in (0, 1, 3, 4)]),
        2.0,
    ),
    ("bad_end", "terminated", "critical", episode(4, terminated=[False, True, False, True]), 1.0),
    (
        "time_reversal",
        "event_time",
        "warning",
        episode(3, event_time=[START + timedelta(seconds=second) for second in (0, 5, 2)]),
        1.0,
    ),
    ("missing_reward", "reward", "warning", episode(3, reward=[1.0, None, None]), 2.0),
    ("incomplete", "terminated", "info", episode(3, terminated=False), None),
]


@pytest.mark.parametrize(
    ("check", "column", "severity", "rows", "value"), _FAULTS, ids=lambda held: str(held)[:25]
)
def test_a_fault_gives_its_finding_alone(
    check: str, column: str | None, severity: str, rows: list[dict[str, Any]], value: float | None
) -> None:
    good = [
        {**row, "episode_id": "good", "observation": [9.0, row["step"]], "next_observation": None}
        for row in episode(5)
    ]
    table = episode_table(steps_of(VECTORS, [*rows, *good]), VECTORS)
    assert dict(zip(table["episode_id"], table["flags"].to_list(), strict=True)) == {"e": [check], "good": []}
    (finding,) = check_episodes(table)
    assert (finding.audit, finding.check, finding.column) == ("episodes", check, column)
    assert (finding.severity, finding.count, finding.total, finding.value) == (severity, 1, 2, value)
    assert finding.subject == "episodes" and finding.examples[0]["episode_id"] == "e"
    assert finding.message.startswith("1 of 2 episodes ") and finding.message.endswith(".")


def test_an_off_by_one_next_observation_is_not_judged_at_an_end() -> None:
    """What comes next of an end is the final observation, and of a step before a gap it is not there."""
    rows = [row for row in episode(6) if row["step"] != 3]
    rows[2]["next_observation"] = [7.0, 7.0]
    rows[-1]["next_observation"] = [8.0, 8.0]
    assert episode_table(steps_of(VECTORS, rows), VECTORS)["wrong_next_observations"].to_list() == [0]


def test_an_episode_is_abandoned_when_its_agent_has_ended_a_later_one() -> None:
    cut = episode(3, terminated=False)
    later = [
        {**row, "episode_id": "f", "event_time": row["event_time"] + timedelta(hours=1)} for row in episode(4)
    ]

    def checks(rows: list[dict[str, Any]]) -> list[str]:
        return [finding.check for finding in check_episodes(episode_table(steps_of(VECTORS, rows), VECTORS))]

    assert checks([*cut, *later]) == ["incomplete", "abandoned"]
    assert checks([*cut, *later[:2]]) == ["incomplete"]  # both may be going on
    assert checks([*cut, *({**row, "agent_id": "b"} for row in later)]) == ["incomplete"]
    assert checks([*episode(3, terminated=False, event_time=None), *later]) == ["incomplete"]


def test_a_copied_episode_is_found_under_its_other_name() -> None:
    copy = [
        {**row, "episode_id": "copy", "event_time": row["event_time"] + timedelta(days=1)}
        for row in episode(5)
    ]
    other = [{**row, "episode_id": "other", "reward": 2.0} for row in episode(5)]
    table = episode_table(steps_of(VECTORS, [*copy, *episode(5), *other]), VECTORS)
    (finding,) = check_episodes(table)
    assert (finding.check, finding.column, finding.count) == ("copied_episode", "episode_id", 1)
    assert finding.examples[0]["episode_id"] == "copy" and finding.examples[0]["copy_of_episode_id"] == "e"


def test_fingerprints_never_change() -> None:
    """They stand in tables: another value would be another episode."""
    table = episode_table(steps_of(VECTORS, episode(3)), VECTORS)
    assert table["fingerprint"].to_list() == [-1061613506320645954]


def test_episodes_that_may_be_equal_by_chance_have_no_fingerprint() -> None:
    counted = ArchiveSpec(name="counted", observation=Discrete(n=9), action=Discrete(n=2))
    rows = [{**row, "observation": 1, "next_observation": 1} for row in episode(5)]
    assert episode_table(steps_of(counted, rows), counted)["fingerprint"].to_list() == [None]
    assert episode_table(steps_of(VECTORS, episode(2)), VECTORS)["fingerprint"].to_list() == [None]


def test_coded_columns_are_read() -> None:
    """As they come of files that were written with dictionaries."""
    rows = steps_of(VECTORS, episode(3), landed=True)
    coded = rows
    for name in ("source", "episode_id", "date"):
        index = rows.schema.get_field_index(name)
        coded = coded.set_column(index, name, rows[name].dictionary_encode())
    assert episode_table(coded, VECTORS).equals(episode_table(rows, VECTORS))


def test_rows_without_an_episode_are_left_out() -> None:
    rows = [{**row, "episode_id": None, "step": None, "event_id": f"x{row['step']}"} for row in episode(3)]
    assert episode_table(steps_of(VECTORS, rows), VECTORS).height == 0


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1"])
@pytest.mark.parametrize("explicit", [True, False])
def test_clean_rollouts_give_no_finding(name: str, explicit: bool) -> None:
    table = rollout(name, 3, 1000, explicit)
    assert check_consistency(table, spec_of(name)) == []
    assert episode_table(pl.DataFrame(table), spec_of(name))["complete"].all()


def test_a_missing_column_is_named() -> None:
    with pytest.raises(StepsError, match="no column 'reward'"):
        episode_table(steps_of(VECTORS, episode(1)).drop_columns(["reward"]), VECTORS)
