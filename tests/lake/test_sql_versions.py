"""A query reads an older version of a table, and says so where that is none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lake import Archive, Lake
from lake.horizon import set_oldest_version
from lake.parquet import write_files
from schemas.errors import NotFoundError, QueryError, StorageError
from tests.lake.archives import SPEC, append, make, numbers, row


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    _, archive = make(tmp_path)
    append(archive, row(0), row(1))
    append(archive, row(2, terminated=True))
    return archive


@pytest.fixture
def lake(archive: Archive) -> Lake:
    return Lake.of(archive)


@pytest.mark.parametrize(
    ("query", "parameters", "rows"),
    [
        ("select count(*) from demo.steps at (version => 1)", None, [(2,)]),
        ("select count(*) from demo.steps AT (VERSION => 0 + 1)", None, [(2,)]),
        ("select count(*) from demo.steps_at(1)", None, [(2,)]),
        ("select count(*) from demo.steps_at($v)", {"v": 1}, [(2,)]),
        ("select count(*) from demo.transitions at (version => 1)", None, [(1,)]),
        ("select episode_return, complete from demo.episodes at (version => 1)", None, [(1.0, False)]),
        ("select episode_return, complete from demo.episodes", None, [(3.0, True)]),
        ("select count(*), $x from demo.steps at (version => $v)", {"v": 1, "x": "y"}, [(2, "y")]),
        ("select count(*), ? from demo.steps at (version => ?)", ["y", 1], [(2, "y")]),
        ("select count(*) from demo.steps as s (a, b) at (version => 0) where b is null", None, [(0,)]),
        ("select demo.steps.step from demo.steps at (version => 1) order by 1", None, [(0,), (1,)]),
        ("select 'ä€', count(*) from demo.steps at (version => 1)", None, [("ä€", 2)]),
        (
            "select n.step from demo.steps n anti join demo.steps as o at (version => 1) using (step)",
            None,
            [(2,)],
        ),
        ("with o as (from demo.steps at (version => 1)) select max(step) from o", None, [(1,)]),
        ("select count(*) from demo.steps at (version => 1) tablesample 100%", None, [(2,)]),
    ],
)
def test_a_version_is_read(lake: Lake, query: str, parameters: Any, rows: list[Any]) -> None:
    assert lake.sql(query, parameters).rows() == rows


def test_a_version_of_now_is_explained(lake: Lake) -> None:
    plan = lake.sql("explain select * from demo.steps at (version => 1) where step > 0").rows()[0][1]
    assert "PARQUET" in plan


def test_a_time_is_read(archive: Archive, lake: Lake) -> None:
    first = archive.table("steps").commits()[1]["timestamp"] / 1000
    at = datetime.fromtimestamp(first, UTC)
    query = "select count(*) from demo.steps at (timestamp => $t)"
    assert lake.sql(query, {"t": at}).rows() == [(2,)]
    assert lake.sql(query, {"t": at.isoformat()}).rows() == [(2,)]
    assert lake.sql(query, {"t": date.today() + timedelta(days=2)}).rows() == [(3,)]
    assert numbers(lake, "select count(*) from demo.steps at (timestamp => now() + interval 1 hour)") == [3]
    with pytest.raises(QueryError, match=r"^No version is that old: the first is of [\d-]+ [\d:]+\+00:00.$"):
        lake.sql(query, {"t": "2020-01-01"})


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("from demo.steps at (version => 3)", "There is no version '3'. The newest is 2, the oldest 0."),
        ("from demo.steps at (version => -1)", "There is no version '-1'"),
        ("from demo.steps at (version => 99999999999999999999)", "version"),
        ("from demo.steps at (version => 'x')", "The version 'x' is not a whole number"),
        ("from demo.steps at (version => null)", "The version None is not a whole number"),
        ("from demo.steps at (version => step)", "not found"),
        ("from demo.steps at (timestamp => 'noon')", "The version 'noon' is not a time"),
        ("from demo.steps_at()", "takes one version"),
        ("from demo.steps at (version => 1) s", "syntax error"),
    ],
)
def test_what_is_no_version(lake: Lake, query: str, says: str) -> None:
    with pytest.raises((NotFoundError, QueryError)) as caught:
        lake.sql(query)
    assert says in str(caught.value)


def test_a_version_that_was_vacuumed(archive: Archive, lake: Lake) -> None:
    table = archive.table("steps")
    rewritten = table.file_names()
    written = write_files(table.store, archive_rows(lake), table.partition_by)
    table.rewrite(rewritten, written, {}, {})
    assert numbers(lake, "select count(*) from demo.steps at (version => 1)") == [2]
    for name in rewritten:
        table.store.remove(name)
    with pytest.raises(NotFoundError, match=r"There is no version '1'.*vacuumed.*The newest is 3"):
        lake.sql("from demo.steps at (version => 1)").rows()
    assert numbers(lake, "select count(*) from demo.steps") == [3]


def test_a_file_that_is_gone_is_told(archive: Archive, lake: Lake) -> None:
    table = archive.table("steps")
    for name in table.file_names():
        table.store.remove(name)
    with pytest.raises(StorageError, match=r"does not read: .* is not there"):
        lake.sql("from demo.steps").rows()


def archive_rows(lake: Lake) -> pa.Table:
    return lake.sql("select * exclude (action_probability) from demo.steps order by step").arrow()


def test_a_version_whose_log_was_cleaned_up(archive: Archive, lake: Lake) -> None:
    store = archive.table("steps").store
    append(archive, row(0, episode_id="f"))
    from deltalake import DeltaTable

    DeltaTable(store.url).create_checkpoint()
    for version in range(3):
        store.remove(f"_delta_log/{version:020d}.json")
    with pytest.raises(NotFoundError, match=r"There is no version '1'. It was cleaned up"):
        lake.sql("from demo.steps at (version => 1)")
    assert numbers(lake, "select count(*) from demo.steps") == [4]


def test_the_oldest_version_is_the_one_that_a_vacuum_left(archive: Archive, lake: Lake) -> None:
    set_oldest_version(archive.table("steps").store, 1)
    assert numbers(lake, "select count(*) from demo.steps at (version => 1)") == [2]
    with pytest.raises(NotFoundError, match=r"'0'. It was cleaned up. The newest is 2, the oldest 1.$"):
        lake.sql("from demo.steps at (version => 0)")


def test_a_version_of_quarantine_and_of_another_archive(lake: Lake) -> None:
    other = lake.create("other", spec=SPEC.model_copy(update={"name": "other"}))
    append(other, row(7))
    query = """
        select (select count(*) from demo.quarantine at (version => 0)),
            (select count(*) from demo.steps at (version => 1)), (select count(*) from other.steps)
    """
    assert lake.sql(query).rows() == [(0, 2, 1)]


def test_a_torn_file_is_told(archive: Archive, lake: Lake) -> None:
    name = archive.table("steps").file_names()[0]
    path = archive.folder / "steps" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StorageError, match="A file of the archive does not read"):
        lake.sql("select sum(reward) from demo.steps").rows()
