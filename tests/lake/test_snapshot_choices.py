"""Snapshots of whole episodes, and of both: the same as by a slow reference, and the same for ever."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import Archive, Snapshot, read_transitions
from lake.episodes import EpisodeLog, audited_schema
from schemas.errors import QueryError, StorageError, UsageError
from schemas.protocols import Move, TableName
from tests.lake.archives import append, make, row
from validation.audits.episodes import episode_table

Key = tuple[str, str, str]
Log = list[dict[str, Any]]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Draw episodes with gaps, lacking rewards and every kind of end, and rows of none."""
    log: Log = []
    for number in range(draw(st.integers(1, 6))):
        steps = draw(st.sets(st.integers(0, 5), min_size=1, max_size=5))
        for step in sorted(steps):
            log.append(
                row(
                    step,
                    source=draw(st.sampled_from(["s", "t"])),
                    agent_id=draw(st.sampled_from(["a", "b"])),
                    episode_id=f"e{number % 4}",
                    event_id=f"i{len(log)}",
                    reward=draw(st.none() | st.integers(0, 3).map(float)),
                    terminated=draw(st.sampled_from([False, False, True])),
                    truncated=draw(st.sampled_from([False, False, True])),
                )
            )
    log += [row(step, episode_id=None, event_id=f"none{step}") for step in range(draw(st.integers(0, 2)))]
    return log


def key_of(held: dict[str, Any]) -> Key:
    return held["source"], held["agent_id"], held["episode_id"]


def episodes_of(log: Log) -> dict[Key, Log]:
    found: dict[Key, Log] = defaultdict(list)
    for held in log:
        if held["episode_id"] is not None:
            found[key_of(held)].append(held)
    return found


def total(steps: Log) -> float:
    return sum(held["reward"] or 0.0 for held in steps)


REFERENCE: list[tuple[dict[str, str], Callable[[Log], bool], Callable[[dict[str, Any]], bool]]] = [
    (
        {"episodes": "length > 2 and return >= 3"},
        lambda s: len({h["step"] for h in s}) > 2 and total(s) >= 3,
        bool,
    ),
    ({"episodes": "steps <= 2"}, lambda s: len(s) <= 2, bool),
    ({"any_step": "reward = 3"}, lambda s: any(h["reward"] == 3 for h in s), bool),
    (
        {"all_steps": "reward >= 1"},
        lambda s: all(h["reward"] is not None and h["reward"] >= 1 for h in s),
        bool,
    ),
    (
        {"episodes": "first_step = 0 -- from the start", "any_step": "terminated", "where": "step > 0"},
        lambda s: min(h["step"] for h in s) == 0 and any(h["terminated"] for h in s),
        lambda h: h["step"] > 0,
    ),
    (
        {"episodes": "agent_id = 'a'", "all_steps": "not truncated or step > 2 -- late"},
        lambda s: s[0]["agent_id"] == "a" and all(not h["truncated"] or h["step"] > 2 for h in s),
        bool,
    ),
]


def chosen(snapshot: Snapshot) -> list[str]:
    """Return the events of the rows that a snapshot holds."""
    with snapshot.connect() as connection:
        query = f"select event_id from snapshot.steps where {snapshot.condition} order by all"
        return [event for (event,) in connection.sql(query).fetchall()]


@settings(max_examples=4)
@given(logs())
def test_episodes_are_chosen_as_by_a_slow_reference(log: Log) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, archive = make(Path(folder))
        append(archive, *log[: len(log) // 2])
        append(archive, *log[len(log) // 2 :])
        episodes = episodes_of(log)
        for words, is_chosen, is_in in REFERENCE:
            rows = [held for steps in episodes.values() if is_chosen(steps) for held in steps if is_in(held)]
            if not rows:
                with pytest.raises(QueryError, match="snapshot of nothing"):
                    archive.snapshot(**words)
                continue
            snapshot = archive.snapshot(**words)
            assert chosen(snapshot) == sorted(held["event_id"] for held in rows)
            assert (snapshot.rows, snapshot.episodes) == (len(rows), len({key_of(held) for held in rows}))
            assert snapshot.bytes == sum(
                (archive.folder / "steps" / name).stat().st_size for name in snapshot.files
            )


@settings(max_examples=4)
@given(logs())
def test_what_is_said_of_an_episode_is_what_an_audit_says(log: Log) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake, archive = make(Path(folder))
        append(archive, *log)
        audited = episode_table(lake.sql("select * from demo.steps").arrow(), archive.spec)
        frame = audited if isinstance(audited, pl.DataFrame) else pl.from_arrow(audited)
        assert isinstance(frame, pl.DataFrame)
        for condition, expected in (
            ("complete", frame.filter("complete")),
            ("ending = 'terminated'", frame.filter(pl.col("ending") == "terminated")),
            ("ending is null", frame.filter(pl.col("ending").is_null())),
            ("return > 2 and episode_return > 2", frame.filter(pl.col("episode_return") > 2)),
            ("missing_rewards > 0", frame.filter(pl.col("missing_rewards") > 0)),
        ):
            if expected.is_empty():
                continue
            keys = archive.snapshot(episodes=condition).read_keys()
            assert keys is not None
            names = ["source", "agent_id", "episode_id"]
            assert keys.to_pylist() == expected.select(names).sort(names).to_dicts()


def audited(archive: Archive, version: int, **flags: list[str]) -> None:
    """Land what an audit of a version found of episodes."""
    log = EpisodeLog(archive)
    key = {"source": "default", "agent_id": "default", "date": "2026-01-01", "audited_version": version}
    rows = [
        {**key, "episode_id": episode, "flags": found, "gaps": len(found)} for episode, found in flags.items()
    ]
    moves: dict[TableName, Move] = {"steps": Move(log.position("steps"), version)}
    log.land(pa.Table.from_pylist(rows, schema=audited_schema()), moves)


def test_what_audits_find_chooses_and_what_they_find_later_changes_nothing(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(
        archive, *(row(step, episode_id=name, event_id=f"{name}{step}") for name in "abc" for step in (0, 1))
    )
    with pytest.raises(QueryError, match=r"nothing is not made.*replaylake validate audit"):
        archive.snapshot(episodes="flags = []")
    audited(archive, 1, a=[], b=["gap"], c=[])
    clean = archive.snapshot(episodes="flags = [] and gaps = 0")
    assert chosen(clean) == ["a0", "a1", "c0", "c1"]

    audited(archive, 2, c=["bad_end"])
    assert chosen(lake.snapshot(clean.id)) == ["a0", "a1", "c0", "c1"]
    assert len(read_transitions(lake.snapshot(clean.id))) == 2
    later = archive.snapshot(episodes="flags = [] and gaps = 0")
    assert (later.id != clean.id, chosen(later)) == (True, ["a0", "a1"])


def test_the_best_of_all_episodes(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(
        archive,
        *(row(0, episode_id=f"e{number}", event_id=f"{number}", reward=float(number)) for number in range(9)),
    )
    best = archive.snapshot(episodes="return > (select avg(return) from snapshot.episodes)")
    assert chosen(best) == ["5", "6", "7", "8"]


def test_an_equal_choice_has_an_equal_id_and_any_other_another(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, *(row(step) for step in range(4)))
    words: list[dict[str, Any]] = [
        {},
        {"where": "step >= 0"},
        {"episodes": "length = 4"},
        {"any_step": "step >= 0"},
        {"all_steps": "step >= 0"},
        {"columns": ["reward"]},
        {"columns": ["reward", "action"]},
    ]
    made = [archive.snapshot(**given) for given in words]
    assert len({snapshot.id for snapshot in made}) == len(made)
    assert [archive.snapshot(**given).id for given in words] == [snapshot.id for snapshot in made]
    assert archive.snapshot(columns=["action", "reward", "step"]).id == made[-1].id
    assert {held.id: held.to_json() for held in lake.snapshots()} == {
        held.id: held.to_json() for held in made
    }
    assert [held.is_whole for held in made] == [True, False, False, False, False, True, True]
    # Neither of the two writes anything again.
    assert len(list((archive.folder / "snapshots").rglob("*.parquet"))) == 3


def test_only_files_with_a_chosen_row_are_kept_unless_a_query_may_look_at_others(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    for number in range(3):
        append(archive, row(number, event_id=str(number), episode_id=f"e{number}"))
    assert len(archive.snapshot().files) == 3
    one = archive.snapshot("reward = 1")
    assert len(one.files) == 1
    append(archive, row(9, event_id="9"))
    assert archive.snapshot("reward = 1") == one
    assert len(archive.snapshot(episodes="return = 2").files) == 1

    above = archive.snapshot("reward > (select avg(reward) from snapshot.steps)")
    assert (len(above.files), chosen(above)) == (4, ["9"])


def test_keys_are_kept_of_episodes_with_a_chosen_row_only(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *(row(number, event_id=str(number), episode_id=f"e{number}") for number in range(3)))
    keys = archive.snapshot("reward > 1", episodes="length = 1").read_keys()
    assert keys is not None and keys["episode_id"].to_pylist() == ["e2"]


def test_columns_are_those_that_were_asked_for_and_the_key(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0), row(1))
    snapshot = archive.snapshot("reward > 0", columns=["action"])
    assert snapshot.columns == ("event_id", "source", "agent_id", "episode_id", "step", "action")
    with snapshot.connect() as connection:
        assert connection.sql(snapshot.query).fetchall() == [(None, "default", "default", "e", 1, 1)]
    assert "reward" in archive.snapshot().columns
    with pytest.raises(UsageError, match=r"no column 'rewar'.*reward"):
        archive.snapshot(columns=["rewar"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"episodes": "lenght > 2"}, "lenght"),
        ({"episodes": "true order by 1"}, "'true order by 1'"),
        ({"episodes": "started_at > now()"}, "would choose other rows each time: now"),
        ({"any_step": "random() < 2"}, "random"),
        ({"any_step": "step = $1"}, "step ="),
        ({"all_steps": "observation"}, ""),
        ({"all_steps": "reward >"}, "does not parse"),
        ({"where": "1 = (select min(length) from snapshot.episodes)"}, "episodes"),
        ({"where": '"file of the row" is not null'}, "file of the row"),
        ({"where": "('no' || step)::int = 1"}, "does not work"),
        ({"episodes": "(select content from read_text('/etc/passwd')) is not null"}, "does not work"),
    ],
)
def test_what_is_no_condition_is_refused(tmp_path: Path, words: dict[str, str], said: str) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0), row(1))
    with pytest.raises(QueryError) as refused:
        archive.snapshot(**words)
    assert said in str(refused.value)
    assert lake.snapshots() == []


def test_keys_that_are_gone_or_torn_are_said(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0), row(1))
    snapshot = archive.snapshot(any_step="step = 1")
    path = archive.folder / "snapshots" / str(snapshot.keys)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(StorageError, match=r"does not read.*Restore it"):
        read_transitions(snapshot)
    path.unlink()
    with pytest.raises(StorageError, match=rf"{path.name} does not read.*Restore it"):
        snapshot.connect()
