"""A snapshot is the same rows for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lake import Lake, read_transitions
from schemas.archive_spec import ArchiveSpec
from schemas.errors import NotFoundError, QueryError, StorageError
from schemas.spaces import Discrete, Scalar
from tests.lake.archives import SPEC, append, make, row


def test_the_same_files_and_condition_are_the_same_snapshot(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, *(row(step) for step in range(4)))
    first = archive.snapshot()
    chosen = archive.snapshot("reward >= 1")

    assert (first.rows, chosen.rows) == (4, 3)
    assert first.id.startswith("demo-")
    assert archive.snapshot() == first
    assert lake.archive("demo").snapshot().id == first.id
    assert first.id != chosen.id
    assert [held.id for held in lake.snapshots()] == [first.id, chosen.id]
    assert archive.snapshot("reward  >= 1").id != chosen.id
    found = lake.snapshot(chosen.id)
    assert found.to_json() == chosen.to_json()
    assert (found.where, found.rows, found.version, found.spec) == ("reward >= 1", 3, 1, SPEC)


def test_a_snapshot_stays_while_the_archive_grows(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0), row(1))
    before = archive.snapshot()
    bytes_before = read_transitions(before).observation.tobytes()
    append(archive, row(2), row(3))
    after = archive.snapshot()

    assert before.id != after.id
    assert (before.rows, after.rows) == (2, 4)
    assert read_transitions(lake.snapshot(before.id)).observation.tobytes() == bytes_before
    assert len(read_transitions(after)) == 3


def test_a_snapshot_of_nothing_is_not_made(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    with pytest.raises(QueryError, match=r"'demo' is empty.*Ingest steps first"):
        archive.snapshot()
    append(archive, row(0))
    with pytest.raises(QueryError, match=r"No step of 'demo' meets 'reward > 5'.*widen"):
        archive.snapshot("reward > 5")
    assert lake.snapshots() == []
    assert not (archive.folder / "snapshots").exists()


@pytest.mark.parametrize(
    "where",
    [
        "reward > 0 -- those with some",
        "reward > 0 /* so */",
        "episode_id in (select episode_id from snapshot.steps group by 1 having count(*) > 1) and step > 0",
        "date = '2026-01-01' and step > 0",
        "event_time > timestamptz '2020-01-01' and reward > 0",
        "action_probability is null and step > 0",
        "list_contains(observation, 1.0)",
    ],
)
def test_any_one_condition_chooses(tmp_path: Path, where: str) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0), row(1))
    assert archive.snapshot(where).rows == 1


@pytest.mark.parametrize(
    "where",
    [
        "",
        " ",
        ";",
        "reward >",
        "nothing = 1",
        "reward > 0; drop view snapshot.steps",
        "true) or (true",
        "true) order by (1",
        "true) group by (step",
        "true) group by all having (true",
        "true) limit (1",
        "true) union all select (1",
        "true) qualify (row_number() over () = 1",
        "true) using sample (1",
        "1) from (select 1",
        "/* open",
        "'open",
        "count(*) > 1",
        "step = ?",
        "step = $name",
        "(select secret from read_csv('/etc/passwd')) is not null",
    ],
)
def test_what_is_not_one_condition_is_refused(tmp_path: Path, where: str) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0), row(1))
    if where == "true) or (true":
        assert archive.snapshot(where).rows == 2  # brackets that close again are an expression
        return
    with pytest.raises(QueryError, match="The condition "):
        archive.snapshot(where)
    assert lake.snapshots() == []


@pytest.mark.parametrize(
    "where",
    [
        "event_time > now() - interval 7 days",
        "event_time < current_timestamp",
        "date <= current_date::varchar",
        "age(event_time::timestamp) > interval 1 day",
        "random() < 2",
        "uuid() <> ''",
        "step in (select step from snapshot.steps where today() > '2020-01-01')",
        "step in (select step from snapshot.steps using sample 1)",
    ],
)
def test_a_condition_that_changes_with_time_is_refused(tmp_path: Path, where: str) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0))
    with pytest.raises(QueryError, match=r"would choose other rows each time.*give the value itself"):
        archive.snapshot(where)


def test_a_column_named_like_a_clock_is_a_column(tmp_path: Path) -> None:
    spec = ArchiveSpec(
        name="demo",
        observation=Discrete(n=9),
        action=Discrete(n=2),
        extras={"current_date": Scalar(dtype="int64")},
    )
    _, archive = make(tmp_path, spec)
    append(archive, row(0, observation=1, current_date=1), row(1, observation=1, current_date=2))
    assert archive.snapshot("current_date = 2").rows == 1


def test_a_missing_snapshot_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0))
    made = archive.snapshot()
    with pytest.raises(NotFoundError, match=rf"no snapshot 'demo-0'\. There are: {made.id}\. Make one"):
        lake.snapshot("demo-0")


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0), row(1))
    made = archive.snapshot()
    (archive.folder / "steps" / made.files[0]).unlink()
    with pytest.raises(StorageError, match=rf"does not read: .*{made.files[0]}.*Restore"):
        read_transitions(made)
    with pytest.raises(StorageError, match="does not read"):
        lake.sql("select * from demo.steps")


def test_a_file_that_is_damaged_is_said(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0), row(1))
    made = archive.snapshot()
    path = archive.folder / "steps" / made.files[0]
    content = bytearray(path.read_bytes())
    content[4 : len(content) - 4_000] = bytes(len(content) - 4_004)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="does not read"):
        read_transitions(made)


def test_a_relative_lake_and_a_link_are_the_same_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0), row(1))
    made = archive.snapshot()
    os.symlink(tmp_path / "lake", tmp_path / "link")
    monkeypatch.chdir(tmp_path)
    for folder in ("lake", "./lake", "link", str(tmp_path / "link"), "../" + tmp_path.name + "/lake"):
        lake = Lake(folder)
        assert lake.archive("demo").snapshot().id == made.id
        assert len(read_transitions(lake.snapshot(made.id))) == 1
        assert lake.sql("select count(*) from demo.steps").rows() == [(2,)]


def test_a_moved_lake_keeps_its_snapshots(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0), row(1))
    made = archive.snapshot()
    lake.folder.rename(tmp_path / "elsewhere")
    moved = Lake(tmp_path / "elsewhere")
    assert len(read_transitions(moved.snapshot(made.id))) == 1
    assert moved.archive("demo").snapshot().id == made.id
