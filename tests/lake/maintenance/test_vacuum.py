"""Vacuum: what nothing needs goes; what a version, a snapshot or a writer needs stays."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lake import Archive, ArchiveLanding, delete_snapshot
from lake.commits import CommitLog
from lake.maintenance.check import check_archive
from lake.maintenance.retain import retain
from lake.maintenance.vacuum import vacuum_archive
from lake.parquet import write_files
from lake.snapshots.log import StateLog
from replaylake.flows.auditing import audit_archive
from schemas.errors import CommitConflictError, NotFoundError, StorageError, UsageError
from tests.lake.archives import SPEC, append, landed_rows, make, numbers, row
from tests.lake.kills import Killed, killed_before
from tests.lake.places import PLACES, lake_in
from tests.lake.retention.days import AGED, TODAY, fill, rows_of, seen

NOW = timedelta(0)


def compacted(archive: Archive) -> list[str]:
    """Compact two files of two steps into one; return their names."""
    append(archive, row(0))
    append(archive, row(1))
    names = archive.table("steps").file_names()
    archive.compact()
    return names


def stored(archive: Archive) -> set[str]:
    files = archive.table("steps").store.files()
    return {file.name for file in files if file.name.endswith(".parquet") and not file.name.startswith("_")}


def age(archive: Archive, days: float) -> None:
    """Let all that is stored of the steps be older."""
    for path in (archive.folder / "steps").rglob("*"):
        os.utime(path, (time.time() - days * 86400,) * 2)


@pytest.mark.parametrize("place", PLACES)
def test_files_that_were_rewritten_go_when_their_time_is_over(
    place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    lake = lake_in(place, request, tmp_path)
    archive = lake.create("demo", spec=SPEC)
    old = compacted(archive)
    version = archive.table("steps").version

    assert vacuum_archive(archive).tables["steps"].files == 0
    assert vacuum_archive(archive, grace=NOW).tables["steps"].files == 0
    assert vacuum_archive(archive, keep=NOW).tables["steps"].waiting == 2
    dry = vacuum_archive(archive, keep=NOW, grace=NOW, dry_run=True).tables["steps"]
    assert (dry.files, set(old) < stored(archive)) == (2, True)

    done = vacuum_archive(archive, keep=NOW, grace=NOW).tables["steps"]
    assert (done.files, done.bytes, done.oldest_version) == (2, dry.bytes, version)
    assert stored(archive) == set(archive.table("steps").file_names())
    assert numbers(lake, "select count(*) from demo.steps") == [2]


def test_a_version_that_was_vacuumed_says_so(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    compacted(archive)
    log = archive.table("steps")
    assert log.at(1).file_names()
    vacuum_archive(archive, keep=NOW, grace=NOW)
    with pytest.raises(NotFoundError, match=r"no version '1'.*reads from version 3 on"):
        log.at(1)
    assert log.at(3).file_names() == log.file_names()
    assert log.added(1) is None
    assert log.added(2) == []


def test_versions_within_the_time_stay_readable(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    compacted(archive)
    age(archive, 10)
    append(archive, row(2))
    older = archive.table("steps").at(3)
    archive.compact()
    done = vacuum_archive(archive).tables["steps"]
    assert (done.files, done.oldest_version) == (2, 3)
    assert [name for name in older.file_names() if name not in stored(archive)] == []
    assert len(stored(archive)) == 3  # the one of version 3, what landed then, and both in one


def test_snapshots_keep_their_files(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0))
    append(archive, row(1))
    snapshot = archive.snapshot()
    archive.compact()
    done = vacuum_archive(archive, keep=NOW, grace=NOW).tables["steps"]
    assert (done.files, done.held) == (0, 2)
    assert lake.snapshot(snapshot.id).rows == 2
    with snapshot.connect() as connection:
        assert connection.sql(f"select count(*) from ({snapshot.query})").fetchall() == [(2,)]


def test_what_a_writer_may_yet_commit_stays_until_it_is_old(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    log = archive.table("steps")
    [file] = write_files(log.store, landed_rows(SPEC, 1), log.partition_by)
    assert vacuum_archive(archive, keep=NOW).tables["steps"].waiting == 1
    assert file.name in stored(archive)
    age(archive, 2)
    assert vacuum_archive(archive).tables["steps"].files == 1
    assert stored(archive) == set()


def test_who_commits_what_a_vacuum_has_condemned_is_refused(tmp_path: Path) -> None:
    """A writer that slept longer than the grace: its file goes, and no version ever names it."""
    lake, archive = make(tmp_path)
    log = archive.table("steps")
    slow = write_files(log.store, landed_rows(SPEC, 1), log.partition_by)
    assert vacuum_archive(archive, grace=NOW).tables["steps"].files == 1
    with pytest.raises(CommitConflictError, match="written too long ago"):
        log.rewrite([], slow, {}, {})
    assert log.append(landed_rows(SPEC, 1), {}, {}) == log.version
    assert numbers(lake, "select count(*) from demo.steps") == [1]


def test_who_commits_while_a_vacuum_looks_keeps_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, archive = make(tmp_path)
    log = archive.table("steps")
    slow = write_files(log.store, landed_rows(SPEC, 1), log.partition_by)
    condemn = CommitLog.condemn

    def meanwhile(vacuumed: CommitLog, until: datetime) -> None:
        log.rewrite([], slow, {}, {})
        condemn(vacuumed, until)

    monkeypatch.setattr(CommitLog, "condemn", meanwhile)
    assert vacuum_archive(archive, grace=NOW).tables["steps"].files == 0
    assert numbers(lake, "select count(*) from demo.steps") == [1]
    assert check_archive(archive, deep=True).is_sound


def test_what_somebody_died_writing_goes(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    partial = archive.folder / ".partial-archive.json.0"
    commit = archive.folder / "steps" / "_delta_log" / "_commit_0.json.tmp"
    for path in (partial, commit):
        path.write_bytes(b"{")
    assert vacuum_archive(archive).leftovers == 0
    age(archive, 2)
    os.utime(partial, (0, 0))
    assert vacuum_archive(archive, dry_run=True).leftovers == 1
    assert vacuum_archive(archive).leftovers == 1
    assert not partial.exists()
    assert not commit.exists()
    assert archive.table("steps").version == 0


def test_killed_at_any_change_nobody_finds_files_missing_unsaid(tmp_path: Path) -> None:
    def made(name: str) -> Archive:
        _, archive = make(tmp_path / name)
        compacted(archive)
        return archive

    counted = made("counted")
    with killed_before(None) as kill:
        vacuum_archive(counted, keep=NOW, grace=NOW)
    for change in range(kill.count):
        archive = made(str(change))
        with pytest.raises(Killed), killed_before(change):
            vacuum_archive(archive, keep=NOW, grace=NOW)
        log = archive.table("steps")
        for version in range(log.version + 1):
            try:
                older = log.at(version)
            except NotFoundError:
                continue
            assert set(older.file_names()) <= stored(archive)
        vacuum_archive(archive, keep=NOW, grace=NOW)
        assert stored(archive) == set(log.file_names())


def test_an_audit_after_a_vacuum_begins_anew_and_finds_the_same(tmp_path: Path) -> None:
    found = []
    for name in ("plain", "vacuumed"):
        lake, archive = make(tmp_path / name)
        append(archive, row(0), row(2))
        audit_archive(lake, "demo")
        append(archive, row(1), row(0, episode_id="f"))
        if name == "vacuumed":
            archive.compact()
            vacuum_archive(archive, keep=NOW, grace=NOW)
        audit_archive(lake, "demo")
        query = "select * exclude (audited_at, audited_version) from demo.episodes order by episode_id"
        found.append(lake.sql(query).rows())
    assert found[0] == found[1]


def test_times_to_come_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="yet to come"):
        vacuum_archive(make(tmp_path)[1], keep=timedelta(days=-1))


def test_rows_that_have_moved_to_the_cold_table_stay(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, AGED)
    fill(archive, 1, 8, 9)
    snapshot = archive.snapshot()
    retain(archive, today=TODAY)
    done = vacuum_archive(archive, keep=NOW, grace=NOW)
    assert done.tables["steps"].held == 2  # what has moved, as the snapshot knows it
    assert done.tables["cold"].files == 0
    assert seen(lake) == rows_of(1, 8, 9)
    assert check_archive(archive, deep=True).problems == []
    assert lake.snapshot(snapshot.id).rows == 6


def test_keys_of_who_died_making_or_deleting_a_snapshot_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0), row(1))

    def keys() -> list[str]:
        return [file.name for file in archive.store.files("snapshots") if file.name.endswith(".parquet")]

    def killed(*args: object) -> None:
        raise Killed

    kept, deleted = (archive.snapshot(episodes=f"length >= {length}") for length in (1, 2))
    for method, action in (
        ("change", lambda: archive.snapshot(episodes="steps >= 1")),
        ("forget", lambda: delete_snapshot(deleted)),
    ):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(StateLog, method, killed)
            action()
    assert len(keys()) == 3
    assert vacuum_archive(archive).leftovers == 0  # they are young
    assert vacuum_archive(archive, grace=NOW, dry_run=True).leftovers == 2
    assert vacuum_archive(archive, grace=NOW).leftovers == 2
    assert keys() == [f"snapshots/{kept.keys}"]
    assert kept.read_keys() is not None


def test_a_worker_that_slept_through_it_reads_the_rows_where_they_are_now(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    landing = ArchiveLanding(archive)
    append(archive, row(0))
    append(archive, row(1))
    landing.refresh()
    archive.compact()
    vacuum_archive(archive, keep=NOW, grace=NOW)
    keys = [step for rows in landing.committed_keys("2026-01-01") for step in rows["step"].to_pylist()]
    assert sorted(set(keys)) == [0, 1]
    held = [step for rows in landing.committed_rows("2026-01-01", ["e"]) for step in rows["step"].to_pylist()]
    assert sorted(set(held)) == [0, 1]

    log = archive.table("steps")
    (name,) = log.file_names()
    log.store.write(name, b"torn")
    with pytest.raises(StorageError, match="does not read"):
        list(landing.committed_keys("2026-01-01"))
