"""An audit reads what is new with the whole of its episodes, and lands what it found once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lake import Archive, AuditScope, choose_rows, read_steps, sample_snapshot, sample_steps
from lake.episodes import EpisodeLog
from schemas.episodes import EPISODES_SCHEMA
from schemas.errors import CommitConflictError, QueryError, StorageError
from tests.lake.archives import DAY, append, make, numbers, refused_rows, row
from validation.audits.episodes import episode_table

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def found(scope: AuditScope, archive: Archive, rows: int = 1000) -> pl.DataFrame:
    return pl.concat([episode_table(steps, archive.spec) for steps in scope.whole_episodes(rows)])


def audit(archive: Archive, *, full: bool = False) -> AuditScope:
    """Land what an audit of episodes finds."""
    scope = AuditScope(archive, full=full)
    scope.land(found(scope, archive).to_arrow(), {"version": scope.version}, NOW)
    return scope


def test_the_view_is_there_before_any_audit(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    assert lake.sql("select * from demo.episodes").rows() == []
    assert lake.sql("from demo.episodes").columns == [*EPISODES_SCHEMA.names, "audited_version", "audited_at"]
    append(archive, row(0))
    assert lake.sql("select length, flags, audited_at from demo.episodes").rows() == [(1, None, None)]
    assert not archive.is_audited


def test_an_archive_without_steps_is_audited(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    scope = audit(archive)
    assert (scope.since, scope.version, scope.tally().rows) == (-1, 0, 0)
    assert archive.is_audited
    assert AuditScope(archive).is_empty
    assert lake.sql("select * from demo.episodes").rows() == []


def test_an_episode_that_grows_is_read_whole_and_shown_once(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0), row(1), row(0, episode_id="f", terminated=True))
    audit(archive)
    later = DAY + timedelta(days=2)
    append(archive, row(2, event_time=later, terminated=True))
    scope = AuditScope(archive)
    (steps,) = scope.whole_episodes(100)
    assert (scope.since, scope.tally().rows) == (1, 1)
    assert [(one["episode_id"], one["step"]) for one in steps.to_pylist()] == [("e", 0), ("e", 1), ("e", 2)]
    assert scope.new_rows(100)["step"].to_pylist() == [2]
    audit(archive)
    query = "select episode_id, length, complete, audited_version from demo.episodes order by 1"
    assert lake.sql(query).rows() == [("e", 3, True, 2), ("f", 1, True, 1)]


def test_only_days_on_which_its_episodes_were_are_read_again(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    days = [DAY + timedelta(days=number) for number in range(5)]
    append(archive, *(row(0, episode_id=f"e{number}", event_time=day) for number, day in enumerate(days)))
    append(
        archive, row(0, episode_id="long", event_time=days[1]), row(1, episode_id="long", event_time=days[2])
    )
    audit(archive)
    append(archive, row(2, episode_id="long", event_time=days[4]))
    scope = AuditScope(archive)
    assert {Path(path).parent.name for path in scope.files} == {f"date=2026-01-0{day}" for day in (2, 3, 5)}
    assert len(scope.files) == 5  # day 5 twice would be the file of e4
    append(archive, row(0, episode_id="new", event_time=days[0]))
    audit(archive)
    append(archive, row(1, episode_id="new", event_time=days[0]))
    assert {Path(path).parent.name for path in AuditScope(archive).files} == {"date=2026-01-01"}


def test_all_agents_of_an_episode_are_read(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0, agent_id="a"), row(0, agent_id="b"))
    audit(archive)
    append(archive, row(1, agent_id="a"))
    (steps,) = AuditScope(archive).whole_episodes(100)
    assert sorted(steps["agent_id"].to_pylist()) == ["a", "a", "b"]


def test_parts_hold_every_episode_once(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *(row(step, episode_id=f"e{number}") for number in range(20) for step in range(3)))
    parts = list(AuditScope(archive).whole_episodes(7))
    assert len(parts) > 5
    held = [set(part["episode_id"].to_pylist()) for part in parts]
    assert sum(map(len, held)) == len(set().union(*held)) == 20
    assert sum(part.num_rows for part in parts) == 60


def test_rows_of_no_episode_are_new_rows_and_no_episode(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0), row(0) | {"episode_id": None, "step": None, "event_id": "x"})
    scope = AuditScope(archive)
    assert scope.new_rows(100).num_rows == 2
    assert sum(steps.num_rows for steps in scope.whole_episodes(100)) == 1


def test_what_is_counted_is_new(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    refused = {"reasons": ["between(reward)", "finite(reward)"], "date": "2026-01-01"}
    archive.table("quarantine").append(refused_rows(archive.spec, refused, refused), {}, {})
    tally = AuditScope(archive).tally()
    assert (tally.quarantined, tally.rejects) == (2, {"between(reward)": 2, "finite(reward)": 2})
    audit(archive)
    assert AuditScope(archive).is_empty
    archive.table("quarantine").append(refused_rows(archive.spec, refused | {"reasons": ["x"]}), {}, {})
    scope = AuditScope(archive)
    assert (scope.tally().quarantined, scope.tally().rejects, scope.is_empty) == (1, {"x": 1}, False)


def test_a_full_audit_appends_only_what_is_new(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0), row(0, episode_id="f"))
    audit(archive)
    scope = audit(archive, full=True)
    assert (scope.since, scope.tally().rows) == (-1, 2)
    assert sum(rows for _, rows, _ in archive.table("episodes").file_sizes()) == 2
    assert numbers(lake, "select count(*) from demo.episodes") == [2]


def test_of_two_audits_at_once_one_counts(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0))
    first, second = AuditScope(archive), AuditScope(archive)
    rows = found(first, archive).to_arrow()
    first.land(rows, {"by": "first"}, NOW)
    with pytest.raises(CommitConflictError):
        second.land(rows, {"by": "second"}, NOW)
    assert numbers(lake, "select count(*) from demo.episodes") == [1]
    again, too = AuditScope(archive, full=True), AuditScope(archive, full=True)
    append(archive, row(1))
    audit(archive)
    for late in (again, too):
        with pytest.raises(CommitConflictError):
            late.land(rows, {"by": "late"}, NOW)
    assert lake.sql("select length, audited_version from demo.episodes").rows() == [(2, 2)]
    assert [one["version"] for one in AuditScope(archive).history if "version" in one] == [2]


def test_audits_that_make_the_table_at_once_make_one(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0))
    together = Barrier(4)

    def race(number: int) -> bool:
        scope = AuditScope(archive)
        rows = found(scope, archive).to_arrow()
        together.wait()
        try:
            scope.land(rows, {"by": number}, NOW)
        except CommitConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(race, range(4))) == [False, False, False, True]
    assert numbers(lake, "select count(*) from demo.episodes") == [1]
    assert sum(rows for _, rows, _ in archive.table("episodes").file_sizes()) == 1


def test_a_log_that_was_cleaned_up_makes_an_audit_begin_anew(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0))
    audit(archive)
    append(archive, row(1))
    steps = archive.table("steps")
    DeltaTable(steps.store.url).create_checkpoint()
    for version in range(3):
        steps.store.remove(f"_delta_log/{version:020d}.json")
    scope = audit(archive)
    assert (scope.since, scope.tally().rows, scope.rows_at(1, 10)) == (-1, 2, None)
    assert numbers(lake, "select length from demo.episodes") == [2]


def test_a_table_that_went_back_is_told_of(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0))
    audit(archive)
    (archive.folder / "steps" / "_delta_log" / f"{1:020d}.json").unlink()
    with pytest.raises(StorageError, match="audited up to version 1, and end at 0"):
        AuditScope(archive)


def test_a_file_that_is_gone_is_told_of(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0))
    steps = archive.table("steps")
    steps.store.remove(steps.file_names()[0])
    with pytest.raises(StorageError, match="does not read"):
        AuditScope(archive).tally()


def test_a_table_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0))
    (archive.folder / "episodes").write_text("in the way")
    with pytest.raises(StorageError, match="storage refused"):
        audit(archive)


def test_positions_are_of_the_table_of_episodes(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    log = EpisodeLog(archive)
    assert (log.position("steps"), log.position("quarantine")) == (-1, -1)
    append(archive, row(0))
    audit(archive)
    log = EpisodeLog(archive)
    assert (log.position("steps"), log.position("quarantine")) == (1, 0)


def test_copies_are_found_among_what_was_audited_before(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *_played("e", range(6)), *_played("other", range(6, 12)))
    audit(archive)
    append(archive, *_played("copy", range(6)))
    scope = AuditScope(archive)
    assert scope.alike(found(scope, archive).to_arrow())["episode_id"].to_pylist() == ["e"]


def test_open_episodes_of_an_agent_are_found_until_they_were_told_of(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    hours = [DAY + timedelta(hours=number) for number in range(5)]
    append(archive, row(0, event_time=hours[0]), row(0, agent_id="b", event_time=hours[0]))
    audit(archive)
    assert _open_beside(archive, row(0, episode_id="f", event_time=hours[1], terminated=True)) == ["e"]
    audit(archive)
    assert _open_beside(archive, row(0, episode_id="g", event_time=hours[2], terminated=True)) == []
    assert _open_beside(archive, row(1, event_time=hours[3])) == []


def _open_beside(archive: Archive, step: dict[str, Any]) -> list[str]:
    append(archive, step)
    scope = AuditScope(archive)
    held: list[str] = scope.left_open(found(scope, archive).to_arrow())["episode_id"].to_pylist()
    return held


def _played(episode: str, values: Sequence[int]) -> list[dict[str, Any]]:
    last = len(values) - 1
    return [
        row(step, episode_id=episode, observation=[value + 0.5], terminated=step == last)
        for step, value in enumerate(values)
    ]


def test_the_ends_of_an_episode(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *(row(step) for step in range(30)), *(row(step, episode_id="f") for step in range(4)))
    scope = AuditScope(archive)
    ends = scope.ends_of(found(scope, archive).to_arrow())
    assert ends["step"].to_pylist() == [*range(5), *range(25, 30), *range(4)]


# Rows by condition, and samples


def test_samples_are_whole_episodes_and_the_same_ones(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *(row(step, episode_id=f"e{number}") for number in range(50) for step in range(4)))
    snapshot = archive.snapshot("step < 3")
    samples = [sample_snapshot(snapshot, 40) for _ in range(2)]
    assert samples[0].equals(samples[1])
    assert 0 < samples[0].num_rows < 100
    held = samples[0].to_pandas().groupby("episode_id").size()
    assert set(held) == {3}
    assert sample_steps(archive, 1000).num_rows == 200
    assert sample_steps(archive, 40).select(["episode_id"]).num_rows == 4 * len(held)


def test_one_long_episode_is_cut(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *(row(step) for step in range(50)))
    assert all(
        steps.num_rows <= 20 for steps in (sample_steps(archive, 10), AuditScope(archive).new_rows(10))
    )


def test_steps_by_condition(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(2), row(1), row(0, action_log_prob=0.0))
    assert read_steps(archive)["step"].to_pylist() == [0, 1, 2]
    assert read_steps(archive, "step > 0")["step"].to_pylist() == [1, 2]
    assert read_steps(archive, "action_probability = 1")["step"].to_pylist() == [0]
    for where in ("nothing > 1", "step >", "true; drop table x", "true) union (select 1"):
        with pytest.raises(QueryError, match="does not work"):
            read_steps(archive, where)


def test_rows_of_a_table_by_condition() -> None:
    rows = pa.table({"a": [3, 1, 2], "b": ["x", None, "z"]})
    assert choose_rows(rows, "a > 1").to_pylist() == [{"a": 3, "b": "x"}, {"a": 2, "b": "z"}]
    assert choose_rows(rows, "b is null").num_rows == 1
    with pytest.raises(QueryError):
        choose_rows(rows, "c = 1")
    with pytest.raises(QueryError):
        choose_rows(rows, "a in (select a from read_csv('/etc/passwd'))")
