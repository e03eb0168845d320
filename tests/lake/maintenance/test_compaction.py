"""Compaction: few sorted files, each key once, and what contradicts is in quarantine."""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lake import Archive, AuditScope
from lake.maintenance.conflicts import quarantine_conflicts
from lake.maintenance.part_rewrite import CompactionOptions
from lake.parquet import WrittenFile, level_of, write_partition
from replaylake.flows.auditing import audit_archive
from schemas.errors import StorageError, UsageError
from schemas.protocols import Move
from schemas.spaces import Text
from schemas.step import ROW_ORDER
from tests.lake.archives import DAY, SPEC, append, landed_rows, make, numbers, refused_rows, row
from tests.lake.maintenance.reference import check_compacted, refused_of, steps_of, whole
from tests.lake.places import PLACES, lake_in
from tests.lake.test_tables import HIVE_NULL, ODD


def order_of(archive: Archive, name: str) -> list[tuple[Any, ...]]:
    rows = archive.table("steps").read(name, ROW_ORDER).to_pylist()
    return [tuple((row[one] is not None, row[one]) for one in ROW_ORDER) for row in rows]


@pytest.mark.parametrize("place", PLACES)
def test_small_files_become_one_sorted_one(
    place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    lake = lake_in(place, request, tmp_path)
    archive = lake.create("demo", spec=SPEC)
    for episode in ("b", "a", "c"):
        append(archive, *(row(step, episode_id=episode) for step in (2, 0, 1)))
    before = steps_of(archive)
    older = archive.table("steps")

    done = archive.compact().tables["steps"]

    assert (done.files_before, done.files_after, done.rows_before, done.rows_after) == (3, 1, 9, 9)
    assert (done.duplicates, done.conflicts, done.commits, done.refused) == (0, 0, 1, 0)
    [name] = archive.table("steps").file_names()
    assert level_of(name) == "compact"
    assert order_of(archive, name) == sorted(order_of(archive, name))
    assert Counter(map(whole, steps_of(archive))) == Counter(map(whole, before))
    assert numbers(lake, "select sum(reward) from demo.steps") == [9.0]
    assert sum(older.read(one).num_rows for one in older.file_names()) == 9  # who pinned it reads on
    assert archive.table("steps").added(0) == archive.table("steps").added(-1)  # and audits see all

    version = archive.table("steps").version
    assert archive.compact().tables["steps"].files_before == 0
    assert archive.table("steps").version == version


def test_what_was_landed_twice_is_there_once_and_what_contradicts_it_in_quarantine(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0), row(1, event_id="x"))
    append(archive, row(0, event_time=DAY + timedelta(hours=1)), row(0, reward=7.0), row(1, event_id="x"))
    append(archive, row(9, event_id="x", agent_id="b"), row(0, source="other"))
    before = steps_of(archive)

    dry = archive.compact(CompactionOptions(dry_run=True)).tables["steps"]
    assert (dry.duplicates, dry.conflicts, dry.commits) == (2, 2, 0)
    assert steps_of(archive) == before

    done = archive.compact().tables["steps"]
    assert (done.duplicates, done.conflicts, done.rows_after) == (2, 2, 3)
    check_compacted(before, steps_of(archive), refused_of(archive))
    query = "select reasons[1], reward from demo.quarantine order by reward"
    assert lake.sql(query).rows() == [("key_conflict", 7.0), ("key_conflict", 9.0)]
    assert archive.compact().tables["steps"].rows_before == 0
    assert len(refused_of(archive)) == 2


def test_files_grow_to_the_target_and_are_left_alone_then(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    small = CompactionOptions(target_bytes=1, memory_bytes=1)
    for start in (0, 3):
        append(archive, *(row(step) for step in range(start, start + 3)))
    assert archive.compact(small).tables["steps"].files_after > 1
    names = archive.table("steps").file_names()
    ranges = [order_of(archive, name) for name in names]
    assert all(one == sorted(one) for one in ranges)
    ranges.sort()
    assert [key for one in ranges for key in one] == sorted(key for one in ranges for key in one)

    append(archive, row(99))
    assert archive.compact(small).tables["steps"].files_before == 1
    assert set(names) < set(archive.table("steps").file_names())
    assert archive.compact().tables["steps"].files_before == len(names) + 1
    assert len(archive.table("steps").file_names()) == 1


def test_a_late_duplicate_of_a_row_in_a_large_file_is_found(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    small = CompactionOptions(target_bytes=1)
    append(archive, *(row(step) for step in range(5)))
    archive.compact(small)
    [large] = archive.table("steps").file_names()
    append(archive, row(3), row(4, reward=0.5), row(5))
    assert archive.compact(small).tables["steps"].duplicates == 1
    assert large in archive.table("steps").file_names()
    assert sorted(row["step"] for row in steps_of(archive)) == [0, 1, 2, 3, 4, 5]
    assert [row["reward"] for row in refused_of(archive)] == [0.5]


def test_partitions_stay_apart_and_conflicts_are_found_across_them(tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"partition_by": ("shop", "agent_id"), "extras": {"shop": Text()}})
    _, archive = make(tmp_path, spec)
    names = [*ODD, HIVE_NULL]
    for _ in range(2):
        append(archive, *(row(step, shop=name, agent_id=name) for step, name in enumerate(names)))
    append(archive, row(0), row(0, shop="other"), row(50, shop="only"), row(50, shop=None))
    before = steps_of(archive)
    archive.compact()
    check_compacted(before, steps_of(archive), refused_of(archive))
    assert len({tuple(file.split("/")[:-1]) for file in archive.table("steps").file_names()}) == len(
        archive.table("steps").file_names()
    )


def test_files_of_before_and_after_a_new_column_become_one(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0))
    archive.evolve(SPEC.model_copy(update={"extras": {"mood": Text()}}))
    append(archive, row(0), row(1, mood="good"), row(0, mood="bad"))
    done = archive.compact().tables["steps"]
    assert (done.duplicates, done.conflicts) == (1, 1)
    assert lake.sql("select step, mood from demo.steps order by 1").rows() == [(0, None), (1, "good")]
    assert numbers(lake, "select mood from demo.quarantine") == ["bad"]


def test_quarantine_is_sorted_by_where_its_rows_came_from(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    log = archive.table("quarantine")
    for offset in (5, 3, 4):
        held = {"stream_topic": "t", "stream_partition": 0, "stream_offset": offset, "raw": b"\xff"}
        log.append(refused_rows(SPEC, held | {"reasons": ["x"], "date": "2026-01-01"}), {}, {})
    done = archive.compact().tables["quarantine"]
    assert (done.files_before, done.files_after, done.rows_after) == (3, 1, 3)
    assert [one["stream_offset"] for one in refused_of(archive)] == [3, 4, 5]
    assert numbers(lake, "select count(*) from demo.quarantine") == [3]
    assert (
        not pq.read_metadata(Path(log.store.uri(archive.table("quarantine").file_names()[0])))
        .row_group(0)
        .sorting_columns
    )


def test_of_an_episode_the_newest_audit_stays(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    for step in range(3):
        append(archive, row(step), row(step, episode_id="f", terminated=step == 2))
        audit_archive(lake, "demo")
    query = "select * from demo.episodes order by episode_id"
    before = lake.sql(query).rows()
    done = archive.compact().tables["episodes"]
    assert (done.rows_before, done.rows_after, done.superseded) == (6, 2, 4)
    assert lake.sql(query).rows() == before


@pytest.mark.parametrize("full", [False, True])
def test_audits_find_the_same_after_a_compaction(tmp_path: Path, full: bool) -> None:
    found = []
    for name in ("plain", "compacted"):
        lake, archive = make(tmp_path / name)
        append(archive, row(0), row(2), row(0, episode_id="f"))
        audit_archive(lake, "demo")
        append(archive, row(1), row(1, episode_id="f", terminated=True), row(5, episode_id="g"))
        if name == "compacted":
            archive.compact()
            append(archive, row(6, episode_id="g"))
            archive.compact()
        else:
            append(archive, row(6, episode_id="g"))
        report = audit_archive(lake, "demo", full=full)
        episodes = lake.sql("select * exclude (audited_at, audited_version) from demo.episodes order by 3")
        found.append((report.to_dict()["findings"], report.to_dict()["episodes"], episodes.rows()))
        assert AuditScope(archive).is_empty
    assert found[0] == found[1]


def test_of_two_at_once_one_is_refused_and_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, archive = make(tmp_path)
    for step in (0, 1, 1):
        append(archive, row(step))
    others: Iterator[Callable[[], object]] = iter([archive.compact, lambda: append(archive, row(2))])

    def slow(*given: Any, **named: Any) -> Iterator[WrittenFile]:
        yield from write_partition(*given, **named)
        for other in islice(others, 1):
            other()  # the first is another compaction, which passes this place, too

    monkeypatch.setattr("lake.maintenance.part_rewrite.write_partition", slow)
    done = archive.compact().tables["steps"]
    assert done.refused == 1
    assert sorted(row["step"] for row in steps_of(archive)) == [0, 1, 2]
    known = {
        name
        for version in range(archive.table("steps").version + 1)
        for name in archive.table("steps").at(version).file_names()
    }
    stored = {file.name for file in archive.table("steps").store.files() if file.name.startswith("date=")}
    assert stored == known  # what was written for nothing is gone


def test_what_is_erased_meanwhile_does_not_come_to_quarantine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0))
    append(archive, row(0, reward=3.0))
    asked: list[Any] = []

    def erased(*given: Any) -> None:
        if not asked:  # an erasure is decided after the rows were read, and before they are put there
            archive.table("quarantine").append(refused_rows(SPEC), {"demo/erasures": Move(-1, 0)}, {})
        asked.append(given)
        quarantine_conflicts(*given)

    monkeypatch.setattr("lake.maintenance.table_compaction.quarantine_conflicts", erased)
    done = archive.compact().tables["steps"]
    assert (done.refused, done.conflicts, len(asked)) == (1, 1, 2)
    assert [given[2] for given in asked] == [-1, 0]
    assert len(refused_of(archive)) == 1


def test_a_torn_file_stops_it_and_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0))
    append(archive, row(1))
    log = archive.table("steps")
    torn = archive.folder / "steps" / log.file_names()[1]
    whole_file = torn.read_bytes()
    torn.write_bytes(whole_file[:-20])
    stored = sorted(file.name for file in log.store.files())
    with pytest.raises(StorageError, match="does not read"):
        archive.compact()
    assert sorted(file.name for file in log.store.files()) == stored
    torn.write_bytes(whole_file)
    assert archive.compact().tables["steps"].files_before == 2


def test_a_flipped_bit_is_not_written_on(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *(row(step) for step in range(50)))
    [name] = archive.table("steps").file_names()
    path = archive.folder / "steps" / name
    reward = pq.read_metadata(path).row_group(0).column(9)
    data = bytearray(path.read_bytes())
    data[reward.data_page_offset + reward.total_compressed_size - 1] ^= 4
    path.write_bytes(data)
    with pytest.raises(StorageError, match="does not read"):
        archive.compact()
    assert archive.table("steps").file_names() == [name]


def test_a_full_disk_stops_it_and_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    for start in (0, 500):
        append(archive, *(row(step, info=os.urandom(16).hex()) for step in range(start, start + 500)))
    stored = sorted(file.name for file in archive.table("steps").store.files())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(StorageError, match="File too large"):
            archive.compact()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(file.name for file in archive.table("steps").store.files()) == stored
    assert archive.compact().tables["steps"].files_before == 2


def test_sizes_of_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="can be nothing"):
        CompactionOptions(target_bytes=0)


def test_rows_without_a_key_are_all_kept(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    for _ in range(2):
        rows = landed_rows(SPEC, 2, episode_id=None, step=None)
        archive.table("steps").append(rows, {}, {})
    assert archive.compact().tables["steps"].rows_after == 4
