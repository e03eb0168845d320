"""Commits move rows and positions together, and nothing is lost or doubled between writers."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pytest

from lake import ArchiveLanding
from lake.commits import CommitLog
from lake.stores import Store, open_store
from schemas.errors import CommitConflictError, NotFoundError, StorageError
from schemas.protocols import Move, Partition
from tests.lake.archives import SPEC, append, landed_rows, make, numbers, refused_rows, row

APP = "demo/topic/0"
_APPEND = """
import sys
from lake.commits import CommitLog
from lake.stores import open_store
from schemas.protocols import Move
from tests.lake.archives import SPEC, landed_rows
log = CommitLog(open_store(sys.argv[1]))
for number in range(5):
    log.append(landed_rows(SPEC, 2, source=sys.argv[2]), {sys.argv[2]: Move(number - 1, number)}, {})
"""


def files_on_disk(log: CommitLog) -> set[str]:
    return {file.name for file in log.store.files() if file.name.endswith(".parquet")}


def test_a_commit_moves_the_position_with_its_rows_or_with_none(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    log = archive.table("steps")
    assert (log.version, log.position(APP)) == (0, -1)

    assert log.append(landed_rows(SPEC, 3), {APP: Move(-1, 4)}, {"replaylake.spec": "x"}) == 1
    assert log.append(landed_rows(SPEC, 0), {APP: Move(4, 9)}, {}) == 2

    again = archive.table("steps")
    assert (again.version, again.position(APP), again.position("other")) == (2, 9, -1)
    assert numbers(lake, "select count(*) from demo.steps") == [3]
    assert log.at(1).position(APP) == 4


@pytest.mark.parametrize("move", [Move(-1, 5), Move(3, 5), Move(3, 3), Move(4, 3), Move(9, 10)])
def test_a_move_from_elsewhere_or_not_forward_is_refused_and_writes_nothing(
    tmp_path: Path, move: Move
) -> None:
    log = make(tmp_path)[1].table("steps")
    log.append(landed_rows(SPEC, 1), {APP: Move(-1, 4)}, {})
    before = files_on_disk(log)
    with pytest.raises(CommitConflictError, match="position of demo/topic/0 is 4"):
        log.append(landed_rows(SPEC, 1), {APP: move}, {})
    assert files_on_disk(log) == before
    assert log.version == 1


def test_a_stale_handle_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    first, second = archive.table("steps"), archive.table("steps")
    first.append(landed_rows(SPEC, 1), {APP: Move(-1, 4)}, {})
    before = files_on_disk(first)

    with pytest.raises(CommitConflictError, match="Refresh, seek and repeat"):
        second.append(landed_rows(SPEC, 2), {APP: Move(-1, 6)}, {})
    assert files_on_disk(first) == before

    second.refresh()
    assert second.position(APP) == 4
    second.append(landed_rows(SPEC, 2), {APP: Move(4, 6)}, {})
    assert numbers(lake, "select count(*) from demo.steps") == [3]


def test_an_old_version_is_a_stale_handle(tmp_path: Path) -> None:
    log = make(tmp_path)[1].table("steps")
    log.append(landed_rows(SPEC, 1), {APP: Move(-1, 4)}, {})
    with pytest.raises(CommitConflictError):
        log.at(0).append(landed_rows(SPEC, 1), {APP: Move(-1, 5)}, {})


def test_writers_of_different_positions_merge(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    first, second = archive.table("steps"), archive.table("steps")
    first.append(landed_rows(SPEC, 1), {"a": Move(-1, 0)}, {})
    second.append(landed_rows(SPEC, 1), {"b": Move(-1, 0)}, {})
    second.refresh()
    assert (second.position("a"), second.position("b")) == (0, 0)
    assert numbers(lake, "select count(*) from demo.steps") == [2]


def test_threads_on_one_handle_and_on_their_own_lose_nothing(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    shared = archive.table("steps")

    def write(name: str) -> None:
        log = shared if name < "c" else archive.table("steps")
        for number in range(4):
            log.append(landed_rows(SPEC, 2, source=name), {name: Move(number - 1, number)}, {})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, "abcd"))

    found = lake.sql("select source, count(*) from demo.steps group by 1 order by 1").rows()
    assert found == [(name, 8) for name in "abcd"]
    shared.refresh()
    assert {shared.position(name) for name in "abcd"} == {3}


def test_threads_that_race_for_one_position_land_it_once(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    shared = archive.table("steps")

    def race(number: int) -> bool:
        try:
            shared.append(landed_rows(SPEC, 1, source=str(number)), {APP: Move(-1, number)}, {})
        except CommitConflictError:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        won = list(threads.map(race, range(6)))

    assert won.count(True) == 1
    assert shared.position(APP) == won.index(True)
    assert numbers(lake, "select source from demo.steps") == [str(won.index(True))]
    assert files_on_disk(shared) == set(shared.file_names())


def test_processes_lose_nothing(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    folder = str(archive.folder / "steps")
    started = [subprocess.Popen([sys.executable, "-c", _APPEND, folder, name]) for name in "abc"]
    assert [process.wait() for process in started] == [0, 0, 0]
    found = lake.sql("select source, count(*) from demo.steps group by 1 order by 1").rows()
    assert found == [(name, 10) for name in "abc"]


def test_rows_of_other_columns_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    log = make(tmp_path)[1].table("steps")
    good = landed_rows(SPEC, 1)
    wrong_type = good.set_column(4, "step", good["step"].cast("int32"))
    for wrong in (good.drop_columns(["step"]), wrong_type, good.append_column("more", good["step"])):
        with pytest.raises(StorageError, match="not those of the table"):
            log.append(wrong, {}, {})
    assert files_on_disk(log) == set()


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no table"):
        CommitLog(open_store(tmp_path))
    with pytest.raises(NotFoundError, match="no table"):
        CommitLog(open_store(tmp_path / "nothing"))


def test_landing_keeps_both_tables_and_finds_what_is_refused(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    landing = ArchiveLanding(archive)
    place = {"stream_topic": "replaylake.demo", "stream_partition": 0, "date": "2026-01-01"}
    refused = [
        {**place, "stream_offset": offset, "stream_row": part} for offset, part in [(3, 0), (3, 1), (7, 0)]
    ]
    other = {**place, "stream_partition": 1, "stream_offset": 9, "stream_row": 0}
    landing.commit("quarantine", refused_rows(SPEC, *refused, other), {APP: Move(-1, 7)}, {})

    assert (landing.position("quarantine", APP), landing.position("steps", APP)) == (7, -1)
    assert landing.quarantined(Partition("replaylake.demo", 0), -1) == {(3, 0), (3, 1), (7, 0)}
    assert landing.quarantined(Partition("replaylake.demo", 0), 3) == {(7, 0)}
    assert landing.quarantined(Partition("replaylake.demo", 1), -1) == {(9, 0)}
    assert landing.quarantined(Partition("replaylake.other", 0), -1) == frozenset()


@pytest.mark.parametrize("partition_by", [(), ("agent_id",), ("source", "agent_id")])
def test_landing_reads_back_what_landed_on_a_date(tmp_path: Path, partition_by: tuple[str, ...]) -> None:
    _, archive = make(tmp_path, SPEC.model_copy(update={"partition_by": partition_by}))
    append(archive, row(0, agent_id="a b"), row(1, agent_id="ü", episode_id="f"), row(2, event_id="i"))
    landing = ArchiveLanding(archive)

    keys = [held for table in landing.committed_keys("2026-01-01") for held in table.to_pylist()]
    assert sorted((key["step"], key["agent_id"]) for key in keys) == [(0, "a b"), (1, "ü"), (2, "default")]
    assert list(landing.committed_keys("2026-01-02")) == []
    assert list(landing.committed_keys("it's")) == []

    def steps_of(*episodes: str | None) -> list[int]:
        tables = landing.committed_rows("2026-01-01", episodes)
        return sorted(number for table in tables for number in table["step"].to_pylist())

    assert steps_of() == []
    assert steps_of("f") == [1]
    assert set(steps_of("e")) >= {0, 2}
    assert steps_of(None) == [0, 1, 2]


def test_of_many_who_make_a_table_at_once_each_gets_the_one(tmp_path: Path) -> None:
    schema = pa.schema([("date", pa.string()), ("x", pa.int64())])
    together = Barrier(4)
    for number in range(10):
        store = open_store(tmp_path / str(number))

        def make_it(_: int, store: Store = store) -> int:
            together.wait()
            return CommitLog.create(store, schema, ["date"]).version

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(make_it, range(4))) == [0, 0, 0, 0]
        assert store.names("_delta_log", ".json") == [f"{0:020d}.json"]
