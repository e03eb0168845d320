"""Names, pins, deletion and erasure of snapshots, by one process and by several at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake import Archive, Lake, Snapshot, delete_snapshot, pin, read_transitions, unpin
from lake.commits import CommitLog
from lake.maintenance.turns import next_turn
from lake.parquet import write_files
from lake.snapshots import held_files, mark_erased
from lake.snapshots.log import StateLog
from lake.stores.local import LocalStore
from schemas.errors import (
    AlreadyExistsError,
    CommitConflictError,
    NotFoundError,
    ReplayLakeError,
    StorageError,
    UsageError,
)
from schemas.protocols import TableName
from tests.lake.archives import SPEC, append, make, row
from tests.object_store import S3Place


def full(folder: Path) -> tuple[Lake, Archive, Snapshot]:
    lake, archive = make(folder)
    append(archive, *(row(step, episode_id="e", event_id=f"e{step}") for step in range(3)))
    append(archive, *(row(step, episode_id="f", event_id=f"f{step}") for step in range(3)))
    return lake, archive, archive.snapshot()


def said(snapshot: Snapshot) -> dict[str, Any]:
    return snapshot.to_json()


def together(*actions: Callable[[], object]) -> list[object]:
    """Do things at once; return what came of each, an error too."""

    def outcome(action: Callable[[], object]) -> object:
        try:
            return action()
        except ReplayLakeError as exc:
            return exc

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(outcome, actions))


def test_a_name_finds_a_snapshot_and_moves_only_when_told(tmp_path: Path) -> None:
    lake, archive, whole = full(tmp_path)
    other = archive.snapshot("step = 1")
    lake.snapshot_names.give("best", whole.id)
    lake.snapshot_names.give("best", whole.id)
    assert said(lake.snapshot("best")) == said(whole)
    with pytest.raises(AlreadyExistsError, match=f"name 'best' exists already. {whole.id} has it"):
        lake.snapshot_names.give("best", other.id)
    lake.snapshot_names.give("best", other.id, move=True)
    lake.snapshot_names.give("v1.0_a-b", other.id)
    assert lake.snapshot_names.all() == {"best": other.id, "v1.0_a-b": other.id}
    assert lake.snapshot_names.take("best") == other.id
    with pytest.raises(NotFoundError, match=r"no name 'best'. There are: v1.0_a-b"):
        lake.snapshot_names.take("best")
    with pytest.raises(NotFoundError, match=rf"no snapshot 'best'. There are: .*{other.id}.*v1.0_a-b"):
        lake.snapshot("best")
    lake.snapshot_names.give("best", whole.id)
    assert lake.snapshot("best").id == whole.id
    assert lake.names() == ["demo"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/a", "A", "a b", "-a", "a\n", "ä", "a" * 64, "demo-0123456789ab"]
)
def test_a_name_that_leaves_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    lake, _, whole = full(tmp_path)
    with pytest.raises(UsageError, match="cannot be named"):
        lake.snapshot_names.give(name, whole.id)
    with pytest.raises(NotFoundError):
        lake.snapshot(name)
    assert lake.snapshot_names.all() == {}


@pytest.mark.parametrize(
    "name", ["../demo-0123456789ab", "demo-0123456789ab/..", "demo-0123456789AB", "no-0123456789ab"]
)
def test_an_id_that_is_none_finds_nothing(tmp_path: Path, name: str) -> None:
    lake, _, _ = full(tmp_path)
    with pytest.raises(NotFoundError, match="There is no snapshot"):
        lake.snapshot(name)


def test_pins_keep_a_snapshot_until_all_let_it_go(tmp_path: Path) -> None:
    lake, _, whole = full(tmp_path)
    pin(whole, by="model/a", note="first")
    pin(whole, by="model/b")
    again = pin(whole, by="model/a", note="newer")
    assert sorted((held.by, held.note) for held in again.pins) == [("model/a", "newer"), ("model/b", "")]
    assert said(lake.snapshot(whole.id)) == said(again) == said(pin(again, by="model/b"))
    with pytest.raises(
        UsageError, match=rf"pinned by .*model/.* was not deleted. Let it go first: .*{whole.id}"
    ):
        delete_snapshot(whole)
    unpin(whole, by="model/a")
    with pytest.raises(NotFoundError, match=r"no pin 'model/a'. There are: model/b"):
        unpin(whole, by="model/a")
    unpin(whole, by="model/b")
    lake.snapshot_names.give("best", whole.id)
    assert delete_snapshot(whole) == ["best"]
    assert lake.snapshots() == [] and lake.snapshot_names.all() == {}
    for action in (lambda: pin(whole, by="c"), lambda: unpin(whole, by="c"), lambda: delete_snapshot(whole)):
        with pytest.raises(NotFoundError, match=f"no snapshot '{whole.id}'"):
            action()


@pytest.mark.parametrize("by", ["", " ", "a\nb", "a" * 201])
def test_a_pin_says_who_needs_it(tmp_path: Path, by: str) -> None:
    _, _, whole = full(tmp_path)
    with pytest.raises(UsageError, match="cannot be pinned by"):
        pin(whole, by=by)


def test_a_deleted_snapshot_can_be_made_again_and_leaves_nothing_of_what_it_said(tmp_path: Path) -> None:
    lake, archive, _ = full(tmp_path)
    chosen = archive.snapshot(any_step="event_id = 'f2'")
    pin(chosen, by="a")
    unpin(chosen, by="a")
    delete_snapshot(chosen)
    folder = archive.folder / "snapshots" / chosen.id
    assert "event_id" not in "".join(path.read_text() for path in folder.iterdir())
    again = archive.snapshot(any_step="event_id = 'f2'")
    assert said(lake.snapshot(chosen.id)) == said(again)
    assert len(read_transitions(again)) == 2


def test_what_is_done_at_once_happens_one_after_the_other(tmp_path: Path) -> None:
    lake, archive, whole = full(tmp_path)
    ids = together(*[lambda: archive.snapshot(any_step="step = 2").id] * 4)
    assert len(set(ids)) == 1 and len(list((archive.folder / "snapshots").rglob("*.parquet"))) == 1

    together(*[lambda number=number: pin(whole, by=f"model/{number}") for number in range(8)])
    assert {held.by for held in lake.snapshot(whole.id).pins} == {f"model/{number}" for number in range(8)}

    names = lake.snapshot_names
    took = together(lambda: names.give("best", whole.id), lambda: names.give("best", str(ids[0])))
    assert sum(isinstance(held, AlreadyExistsError) for held in took) == 1
    together(*[lambda held=held: names.give("best", held, move=True) for held in (whole.id, ids[0])])
    assert names.read("best") in (whole.id, ids[0])


def test_of_a_pin_and_a_deletion_one_comes_first(tmp_path: Path) -> None:
    lake, archive, _ = full(tmp_path)
    for _ in range(4):
        made = archive.snapshot("step = 2")
        deleted, pinned = together(lambda: delete_snapshot(made), lambda: pin(made, by="model/a"))  # noqa: B023
        if isinstance(pinned, Snapshot):
            assert isinstance(deleted, UsageError)
            unpin(lake.snapshot(made.id), by="model/a")
        else:
            assert isinstance(pinned, NotFoundError) and deleted == []
            with pytest.raises(NotFoundError):
                lake.snapshot(made.id)


def test_stored_snapshots_hold_their_files_and_no_others(tmp_path: Path) -> None:
    _, archive, whole = full(tmp_path)
    one = archive.snapshot("event_id = 'e0'")
    append(archive, row(7))
    assert held_files(archive) == set(whole.files)
    delete_snapshot(whole)
    assert held_files(archive) == set(one.files) < set(whole.files)
    delete_snapshot(one)
    assert held_files(archive) == frozenset()


def rewritten(archive: Archive, name: str, without: str) -> str | None:
    """Write a file again without an episode; return its name, None where nothing is left."""
    folder = archive.folder / "steps"
    rows = pq.ParquetFile(folder / name).read()
    kept = rows.filter([held != without for held in rows["episode_id"].to_pylist()])
    if not kept.num_rows:
        return None
    made = f"{Path(name).parent}/part-new.parquet"
    pq.write_table(kept, folder / made)
    return made


def test_an_erasure_replaces_files_and_is_said_for_ever(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(
        archive, *(row(step, episode_id=name, event_id=f"{name}{step}") for name in "ef" for step in (0, 1))
    )
    append(archive, *(row(step, episode_id="f", event_id=f"f{step}") for step in (2, 3)))
    whole, chosen = archive.snapshot(), archive.snapshot(all_steps="step >= 0")
    pin(chosen, by="model/a")
    replaced = {name: rewritten(archive, name, "f") for name in whole.files}
    assert sorted(map(bool, replaced.values())) == [False, True]

    for snapshot in (whole, chosen):
        for _ in range(2):  # the second time after a kill
            marked = mark_erased(snapshot, "erasure-1", 4, replaced)
        assert said(lake.snapshot(snapshot.id)) == said(marked)
        assert [(held.id, held.rows) for held in marked.erasures] == [("erasure-1", 4)]
        assert marked.id == snapshot.id and marked.created_at == snapshot.created_at
        assert (marked.rows, marked.episodes, len(marked.files)) == (2, 1, 1)
        assert marked.bytes < snapshot.bytes
        assert len(read_transitions(marked)) == 1
    assert [held.by for held in marked.pins] == ["model/a"]
    keys = marked.read_keys()
    assert keys is not None and keys["episode_id"].to_pylist() == ["e"]
    files = list((archive.folder / "snapshots" / chosen.id).glob("*.parquet"))
    assert [f"{chosen.id}/{path.name}" for path in files] == [marked.keys]

    mark_erased(marked, "erasure-2", 2, dict.fromkeys(marked.files))
    empty = lake.snapshot(chosen.id)
    assert (empty.rows, empty.files, len(empty.erasures)) == (0, (), 2)
    with empty.connect() as connection:
        assert connection.sql(empty.query).fetchall() == []
    delete_snapshot(unpin(empty, by="model/a"))
    with pytest.raises(NotFoundError):
        mark_erased(empty, "erasure-3", 1, {})


class BusyArchive(Archive):
    """Have the table of steps rewritten each time before it is opened."""

    def table(self, name: TableName | Literal["episodes"]) -> CommitLog:
        """Open a table."""
        log = super().table(name)
        if name == "steps":
            old = log.file_names()
            written = write_files(log.store, pa.concat_tables(map(log.read, old)), log.partition_by)
            log.rewrite(old, written, next_turn(log, self.name), {})
        return log


def test_files_that_are_rewritten_meanwhile_are_not_kept(tmp_path: Path) -> None:
    lake, _, whole = full(tmp_path)
    delete_snapshot(whole)
    busy = BusyArchive.open(LocalStore(lake.folder), "demo", lake.id)
    with pytest.raises(CommitConflictError, match="were rewritten meanwhile"):
        busy.snapshot(any_step="step = 2")
    assert lake.snapshots() == [] and held_files(busy) == frozenset()
    assert list((busy.folder / "snapshots").rglob("*.parquet")) == []


def test_a_state_that_is_torn_is_said(tmp_path: Path) -> None:
    lake, archive, whole = full(tmp_path)
    newest = max((archive.folder / "snapshots" / whole.id).iterdir())
    newest.write_text('{"id": ')
    with pytest.raises(StorageError, match=r"does not read"):
        lake.snapshot(whole.id)
    newest.write_text("{}")
    with pytest.raises(StorageError, match=r"is empty. Restore"):
        lake.snapshots()


def test_a_change_after_a_process_died_builds_on_what_it_did(tmp_path: Path) -> None:
    log = StateLog(LocalStore(tmp_path / "states"))
    log.change("a", lambda held: {"number": 1})
    log.store.write_once("a/00000002.json", b'{"number": 2}')  # and died before it emptied the first
    assert log.change("a", lambda held: {"number": (held or {})["number"] + 1}) == {"number": 3}
    assert log.all() == {"a": {"number": 3}}
    log.forget("a")
    assert [log.store.read(f"a/{name}") for name in log.store.names("a")[:-1]] == [b"{}\n", b"{}\n"]


def test_on_s3(s3_place: S3Place) -> None:
    lake = Lake(s3_place.url, s3_place.options)
    archive = lake.create("demo", spec=SPEC)
    for name in "efgh":
        append(archive, *(row(step, episode_id=name, event_id=f"{name}{step}") for step in range(3)))
    chosen = archive.snapshot("step < 2", episodes="episode_id <> 'h'")
    assert (chosen.rows, chosen.episodes, len(chosen.files)) == (6, 3, 3)
    assert archive.snapshot("step < 2", episodes="episode_id <> 'h'").id == chosen.id
    lake.snapshot_names.give("best", chosen.id)
    pin(chosen, by="model/a")
    with pytest.raises(UsageError, match="pinned by model/a"):
        delete_snapshot(lake.snapshot("best"))
    assert len(read_transitions(lake.snapshot("best"))) == 3
    parts = archive.snapshot().split(0.5, 0, 0.5, seed=1)
    assert sum(part.episodes for part in parts.values()) == 4
    assert held_files(archive) == set(archive.snapshot().files)
    unpin(chosen, by="model/a")
    delete_snapshot(chosen)
    with pytest.raises(NotFoundError):
        Lake(s3_place.url, s3_place.options).snapshot("best")
