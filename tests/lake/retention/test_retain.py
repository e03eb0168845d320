"""Steps of old days move to the cold place, are read as before, and are deleted in the end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from lake import ArchiveLanding, read_steps
from lake.cold import StepsTables, cold_store
from lake.maintenance.erasure_plan import Criterion
from lake.maintenance.retain import retain
from schemas.archive_spec import ArchiveSpec
from schemas.errors import NotFoundError, SpecError, StorageError, UsageError
from tests.lake.archives import SPEC, append, make, numbers, refused_rows
from tests.lake.places import PLACES, lake_in
from tests.lake.retention.days import AGED, TODAY, fill, on_day, rows_of, seen


@pytest.mark.parametrize("place", PLACES)
def test_old_days_move_and_older_ones_go(place: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    lake = lake_in(place, request, tmp_path)
    archive = lake.create("demo", spec=AGED)
    fill(archive, 0, 6, 7, 8, 20, 31)
    report = retain(archive, today=TODAY)
    assert (report.moved_rows, report.deleted) == (4, {"steps": 2})
    assert seen(lake) == rows_of(0, 6, 7, 8, 20)
    tables = StepsTables(archive)
    assert [name.startswith("cold/") for name in tables.file_names()] == [False] * 3 + [True] * 2
    again = retain(archive, today=TODAY)
    assert (again.moved_rows, again.deleted) == (0, {})
    later = retain(archive, today=TODAY + timedelta(days=11))
    assert (later.moved_rows, later.deleted) == (6, {"cold": 2})
    assert seen(lake) == rows_of(0, 6, 7, 8)
    assert numbers(lake, "select count(*) from demo.transitions where date < '2026-03-25'") == [2]


def test_the_cold_place_may_be_elsewhere_and_others_read_it(tmp_path: Path) -> None:
    cold = tmp_path / "elsewhere" / "cold"
    lake, archive = make(tmp_path, AGED.model_copy(update={"cold": str(cold)}))
    fill(archive, 1, 9)
    retain(archive, today=TODAY)
    (folder,) = cold.iterdir()
    rows = pl.scan_delta(str(folder)).select("episode_id", "step").collect()
    assert sorted(rows.rows()) == [("e9", 0), ("e9", 1)]
    assert seen(lake) == rows_of(1, 9)
    (file,) = folder.rglob("date=*/*.parquet")
    assert pq.ParquetFile(file).metadata.row_group(0).column(0).compression == "ZSTD"


def test_on_s3_as_the_cold_place_of_a_lake_on_s3(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    lake = lake_in("s3", request, tmp_path)
    archive = lake.create("demo", spec=AGED.model_copy(update={"cold": f"{lake.url}-cold"}))
    fill(archive, 1, 9)
    retain(archive, today=TODAY)
    store = cold_store(archive)
    assert store is not None and store.url.startswith(f"{lake.url}-cold/demo-")
    assert seen(lake) == rows_of(1, 9)


def test_rows_that_come_late_move_later_and_late_duplicates_are_known(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, AGED)
    fill(archive, 9)
    retain(archive, today=TODAY)
    append(archive, on_day(9, 5, episode_id="late"))
    assert numbers(lake, "select count(*) from demo.steps") == [3]
    assert retain(archive, today=TODAY).moved_rows == 1
    landing = ArchiveLanding(archive)
    date = (TODAY - timedelta(days=9)).isoformat()
    keys = [key for table in landing.committed_keys(date) for key in table["step"].to_pylist()]
    rows = [step for table in landing.committed_rows(date, ["e9"]) for step in table["step"].to_pylist()]
    assert (sorted(keys), sorted(rows)) == ([0, 1, 5], [0, 1])


def test_an_older_version_is_read_as_it_was(tmp_path: Path) -> None:
    _, archive = make(tmp_path, AGED)
    fill(archive, 9, 10)
    before = StepsTables(archive).version
    retain(archive, today=TODAY)
    retain(archive, today=TODAY + timedelta(days=21))
    older = StepsTables(archive).at(before)
    assert len(older.file_names()) == 2
    assert sum(older.read(name, ["step"]).num_rows for name in older.file_names()) == 4


def test_snapshots_before_and_after_a_move_choose_the_same_rows(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, AGED)
    fill(archive, 1, 9)
    before = archive.snapshot()
    retain(archive, today=TODAY)
    after = archive.snapshot()
    for snapshot in (before, after):
        with snapshot.connect() as connection:
            found = connection.sql("select episode_id, step from snapshot.steps order by 1, 2").fetchall()
        assert found == [("e1", 0), ("e1", 1), ("e9", 0), ("e9", 1)]
    assert lake.snapshot(after.id).rows == 4


def test_a_column_that_came_after_a_move_is_null_in_cold_rows(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, AGED)
    fill(archive, 9)
    retain(archive, today=TODAY)
    grown = ArchiveSpec.from_json(
        AGED.to_json() | {"extras": {"mood": {"type": "scalar", "dtype": "string"}}}
    )
    archive.evolve(grown)
    append(archive, on_day(9, 7, episode_id="x", mood="calm"), on_day(1, 8, episode_id="x", mood="wild"))
    assert retain(archive, today=TODAY).moved_rows == 1
    moods = lake.sql("select step, mood from demo.steps order by step").rows()
    assert moods == [(0, None), (1, None), (7, "calm"), (8, "wild")]
    assert read_steps(archive)["mood"].null_count == 2


def test_a_dry_run_says_the_same_and_changes_nothing(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, AGED)
    fill(archive, 1, 9, 40)
    archive.table("quarantine").append(
        refused_rows(AGED, {"step": 1, "date": "2026-01-01"}, {"step": 2, "date": "2026-03-30"}), {}, {}
    )
    version = archive.table("steps").version
    said = retain(archive, today=TODAY, dry_run=True)
    assert archive.table("steps").version == version
    assert (said.moved_rows, said.deleted) == (2, {"steps": 2, "quarantine": 1})
    done = retain(archive, today=TODAY)
    assert (done.moved_rows, done.deleted) == (said.moved_rows, said.deleted)
    assert numbers(lake, "select step from demo.quarantine") == [2]


def test_without_a_retention_there_is_nothing_to_do(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    with pytest.raises(UsageError, match="sets no retention"):
        retain(archive, today=TODAY)


def test_the_cold_place_stays_where_rows_are(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, AGED)
    fill(archive, 9, 10)
    retain(archive, today=TODAY)
    append(archive, on_day(9, 7, episode_id="late"))
    archive.evolve(AGED.model_copy(update={"cold": str(tmp_path / "other")}))
    with pytest.raises(UsageError, match="are in the archive itself"):
        retain(archive, today=TODAY)
    assert numbers(lake, "select count(*) from demo.steps") == [5]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cold": "relative/folder"}, "absolute"),
        ({"hot_days": 30, "retention_days": 30}, "not below retention_days"),
        ({"hot_days": 0}, "hot_days"),
    ],
)
def test_a_retention_that_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        ArchiveSpec.from_json(SPEC.to_json() | changes)


def test_a_place_that_cannot_be_reached_is_not_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT", "https://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    lake, archive = make(tmp_path, AGED)
    fill(archive, 9)
    for place in ("s3://nowhere/cold", "/dev/null/cold"):
        archive.evolve(AGED.model_copy(update={"cold": place}))
        with pytest.raises((StorageError, NotFoundError), match=place):
            retain(archive, today=TODAY)
        assert cold_store(archive) is None
    archive.evolve(AGED.model_copy(update={"cold": str(tmp_path / "cold")}))
    assert retain(archive, today=TODAY).moved_rows == 2
    assert seen(lake) == rows_of(9)


def test_a_cold_table_that_is_not_there_is_said_and_not_made_anew(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, AGED.model_copy(update={"cold": str(tmp_path / "disk")}))
    fill(archive, 9)
    retain(archive, today=TODAY)
    fill(archive, 10)
    (tmp_path / "disk").rename(tmp_path / "elsewhere")
    for action in (
        lambda: retain(archive, today=TODAY),
        lambda: archive.plan_erasure(Criterion(agent="a"), "asked for"),
    ):
        with pytest.raises(NotFoundError, match=r"no table .*disk/demo-"):
            action()
    assert not (tmp_path / "disk").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "disk")
    retain(archive, today=TODAY)
    assert seen(lake) == rows_of(9, 10)
