"""A replay commits onto the version it looked at, under a list that counts with the commit alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lake import (
    Archive,
    Lake,
    QuarantineChoice,
    ReplayLanding,
    quarantine_count,
    quarantine_reasons,
    quarantine_rows,
    row_id,
)
from lake.replay_log import ReplayLog
from schemas.archive_spec import ArchiveSpec
from schemas.errors import CommitConflictError, SpecError, StorageError
from schemas.protocols import Move, replays_id
from schemas.spaces import Scalar
from schemas.step import LINEAGE_FIELDS, quarantine_schema
from tests.lake.archives import SPEC, append, landed_rows, make, numbers, refused_rows, row

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORIGIN = [field.name for field in LINEAGE_FIELDS]


def refuse(archive: Archive, *offsets: int, **changes: Any) -> None:
    """Put rows into quarantine."""
    place = {"stream_topic": "replaylake.demo", "stream_partition": 0, "stream_row": 0, "ingested_at": NOW}
    why = {"reasons": ["between(reward)"], "detail": "too much", "date": "2026-01-01"}
    rows = [row(offset) | place | why | {"stream_offset": offset} | changes for offset in offsets]
    archive.table("quarantine").append(refused_rows(archive.spec, *rows), {}, {})


def resolve(landing: ReplayLanding, count: int | None = None) -> str:
    """Resolve the first rows of each batch, and land as many."""
    (batch,) = landing.batches(QuarantineChoice(), 1000)
    chosen = batch.slice(0, count)
    resolved = chosen.select(ORIGIN).append_column("resolved_as", pa.repeat("landed", chosen.num_rows))
    return landing.commit(landed_rows(SPEC, chosen.num_rows), resolved, {})


def test_what_is_resolved_leaves_one_view_and_not_the_other(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    refuse(archive, 1, 2, 3)
    replay = resolve(ReplayLanding(archive), 2)
    assert numbers(lake, "select stream_offset from demo.quarantine") == [3]
    query = "select stream_offset, resolved_by, resolved_as from demo.quarantine_all order by 1"
    assert lake.sql(query).rows() == [(1, replay, "landed"), (2, replay, "landed"), (3, None, None)]
    assert quarantine_count(archive, QuarantineChoice()) == 1
    assert quarantine_count(archive, QuarantineChoice(), resolved=True) == 3
    shown = [*quarantine_schema(SPEC).names, "action_probability"]
    assert lake.sql("from demo.quarantine").columns == shown
    assert lake.sql("from demo.quarantine_all").columns == [*shown, "resolved_by", "resolved_as"]


def test_the_views_are_there_before_any_replay_and_any_row(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    assert lake.sql("select resolved_by, resolved_as from demo.quarantine_all").rows() == []
    refuse(archive, 1)
    assert lake.sql("select resolved_by, resolved_as from demo.quarantine_all").rows() == [(None, None)]


@pytest.mark.parametrize("folder", ["plain", "date=1", "a*b[c]?"])
def test_a_lake_may_lie_in_any_folder(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    lake, archive = make(tmp_path / folder)
    refuse(archive, 1, 2)
    resolve(ReplayLanding(archive), 1)
    assert numbers(lake, "select stream_offset from demo.quarantine") == [2]
    assert numbers(lake, "select count(resolved_by) from demo.quarantine_all") == [1]


@pytest.mark.parametrize("name", ["resolved_by", "resolved_as"])
def test_no_extra_column_takes_the_names_of_the_view(name: str) -> None:
    with pytest.raises(SpecError, match=name):
        ArchiveSpec.from_json(
            {**SPEC.to_json(), "extras": {name: Scalar(dtype="string").model_dump()}},
        )


def test_a_commit_onto_a_version_is_refused_after_any_other(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    refuse(archive, 1, 2)
    landing = ReplayLanding(archive)
    append(archive, row(7))
    with pytest.raises(CommitConflictError):
        resolve(landing)
    assert list((archive.folder / "replays").iterdir()) == []
    assert numbers(lake, "select count(*) from demo.quarantine") == [2]
    landing.refresh()
    resolve(landing)
    assert numbers(lake, "select count(*) from demo.quarantine") == [0]
    assert numbers(lake, "select count(*) from demo.steps") == [3]


def test_a_commit_onto_a_version_does_not_try_again_by_itself(tmp_path: Path) -> None:
    log = make(tmp_path)[1].table("steps")
    other = log.at(0)
    other.append(landed_rows(SPEC, 1), {}, {})
    with pytest.raises(CommitConflictError):
        log.append(landed_rows(SPEC, 1), {}, {}, onto=0)
    log.refresh()
    with pytest.raises(CommitConflictError, match="version is 1, not 0"):
        log.append(landed_rows(SPEC, 1), {}, {}, onto=0)
    assert len([file for file in log.store.files() if file.name.endswith(".parquet")]) == 1


def test_a_position_that_is_to_stay_is_looked_at_between_attempts(tmp_path: Path) -> None:
    """The writer's handle is older than both commits: it meets them one after the other."""
    archive = make(tmp_path)[1]
    stale, guard = archive.table("steps"), replays_id("demo")
    archive.table("steps").append(landed_rows(SPEC, 1), {"other": Move(-1, 0)}, {})
    stale.append(landed_rows(SPEC, 1), {"mine": Move(-1, 0), guard: Move(-1, -1)}, {})
    older = stale.at(1)
    stale.append(landed_rows(SPEC, 1), {"other": Move(0, 1)}, {})
    stale.append(landed_rows(SPEC, 1), {guard: Move(-1, 0)}, {})
    with pytest.raises(CommitConflictError, match=guard):
        older.append(landed_rows(SPEC, 1), {"third": Move(-1, 0), guard: Move(-1, -1)}, {})
    assert older.position("third") == -1


def test_rows_are_open_until_another_replay_resolves_them(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    refuse(archive, 1, 2, 3)
    first, second = ReplayLanding(archive), ReplayLanding(archive)
    (batch,) = second.batches(QuarantineChoice(), 1000)
    resolve(first, 2)
    assert second.still_open(batch).tolist() == [True, True, True]
    second.refresh()
    assert second.still_open(batch).tolist() == [False, False, True]


def test_batches_are_whole_files_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    for first in (10, 0, 20):
        refuse(archive, first + 2, first + 1)
    landing = ReplayLanding(archive)
    one_by_one = [batch["stream_offset"].to_pylist() for batch in landing.batches(QuarantineChoice(), 1)]
    assert one_by_one == [[11, 12], [1, 2], [21, 22]]
    pairs = [batch["stream_offset"].to_pylist() for batch in landing.batches(QuarantineChoice(), 4)]
    assert pairs == [[1, 2, 11, 12], [21, 22]]
    assert [batch.schema for batch in landing.batches(QuarantineChoice(), 99)] == [quarantine_schema(SPEC)]


@pytest.mark.parametrize("partition_by", [(), ("agent_id",)])
def test_a_table_s_files_have_sizes(tmp_path: Path, partition_by: tuple[str, ...]) -> None:
    _, archive = make(tmp_path, SPEC.model_copy(update={"partition_by": partition_by}))
    append(archive, row(0, agent_id="a b"), row(1, agent_id="ü%"))
    append(archive, row(2, agent_id="__HIVE_DEFAULT_PARTITION__"))
    log = archive.table("steps")
    sizes = log.file_sizes()
    assert sorted(path for path, _, _ in sizes) == log.file_names()
    assert sum(rows for _, rows, _ in sizes) == 3
    assert {name: size for name, _, size in sizes} == {
        file.name: file.size for file in log.store.files() if file.name.endswith(".parquet")
    }


def test_files_are_read_once_and_new_ones_later(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(1), row(2))
    landing, seen = ReplayLanding(archive), set[str]()
    (file,) = landing.files_of(["2026-01-01"], seen)
    keys = file.keys()
    assert keys["step"].to_pylist() == [1, 2]
    chosen = file.rows(keys["step"].to_numpy() == 2)
    assert chosen["reward"].to_pylist() == [2.0]
    assert list(landing.files_of(["2026-01-01", "2026-01-02"], seen)) == []
    append(archive, row(3))
    landing.refresh()
    assert [held.keys()["step"].to_pylist() for held in landing.files_of(["2026-01-01"], seen)] == [[3]]


def test_of_two_lists_with_one_number_the_committed_one_counts(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    refuse(archive, 1, 2)
    steps = archive.table("steps")
    log = ReplayLog(archive, steps)
    (batch,) = ReplayLanding(archive).batches(QuarantineChoice(), 10)
    resolved = batch.select(ORIGIN).append_column("resolved_as", pa.repeat("landed", 2))
    dead, alive = log.write(resolved.slice(0, 1)), log.write(resolved.slice(1))
    assert log.lists().names == []
    steps.append(landed_rows(SPEC, 1), log.moves(alive), {})
    assert log.lists().names == [f"{alive}.parquet"]
    with pytest.raises(CommitConflictError):
        steps.append(landed_rows(SPEC, 1), log.moves(dead), {})
    assert numbers(Lake(tmp_path / "lake"), "select stream_offset from demo.quarantine") == [1]
    log.clean()
    assert [path.stem for path in (archive.folder / "replays").iterdir()] == [alive]


def test_extra_columns_may_have_any_name_that_is_not_ours(tmp_path: Path) -> None:
    extras = {name: Scalar(dtype="string") for name in ("id", "reason", "rows", "chosen", "held", "listed")}
    _, archive = make(tmp_path, SPEC.model_copy(update={"extras": extras}))
    refuse(archive, 1, 2, **dict.fromkeys(extras, "x"))
    (counted,) = quarantine_reasons(archive, QuarantineChoice(where="id = 'x'"))
    assert (counted.reason, counted.rows, counted.example_id) == (
        "between(reward)",
        2,
        "replaylake.demo/0/1/0",
    )
    found = quarantine_rows(archive, QuarantineChoice(), 10).to_pylist()
    assert [(row_id(held), held["id"]) for held in found] == [
        ("replaylake.demo/0/1/0", "x"),
        ("replaylake.demo/0/2/0", "x"),
    ]


def test_a_file_of_quarantine_that_does_not_read_is_told(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    refuse(archive, 1)
    held = archive.table("quarantine")
    (path,) = held.uris(held.file_names())
    Path(path).write_bytes(b"no parquet")
    with pytest.raises(StorageError, match="does not read"):
        quarantine_count(archive, QuarantineChoice())
