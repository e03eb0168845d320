"""A snapshot whose maker dies is none: it is not listed, holds its files for a while, and then goes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lake import Archive, Lake, Snapshot, delete_snapshot, pin
from lake.maintenance.check import check_archive
from lake.maintenance.erasure_plan import Criterion
from lake.maintenance.erasure_run import ErasureRun
from lake.maintenance.vacuum import vacuum_archive
from lake.snapshots import held_files
from lake.snapshots.log import StateLog
from schemas.errors import NotFoundError
from tests.lake.archives import SPEC, append, make, row
from tests.lake.kills import Killed, killed_before
from tests.lake.places import PLACES, lake_in

NOW = timedelta(0)


def filled(folder: Path) -> tuple[Lake, Archive]:
    lake, archive = make(folder)
    fill(archive)
    return lake, archive


def fill(archive: Archive) -> None:
    for name in "ef":
        append(archive, *(row(step, episode_id=name, event_id=f"{name}{step}") for step in range(3)))


def snapshot(archive: Archive) -> Snapshot:
    return archive.snapshot("step < 2", any_step="step = 2")


def die_drafting(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a snapshot, and die when its draft is stored."""
    change, drafted = StateLog.change, list[object]()

    def killed(*args: object) -> object:
        if drafted:
            raise Killed
        drafted.append(change(*args))  # type: ignore[arg-type]
        return drafted[0]

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(StateLog, "change", killed)
        snapshot(archive)


def test_killed_at_any_change_it_is_there_or_holds_nothing_in_the_end(tmp_path: Path) -> None:
    _, counted = filled(tmp_path / "counted")
    with killed_before(None) as whole:
        snapshot(counted)
    for change in range(whole.count):
        lake, archive = filled(tmp_path / str(change))
        with killed_before(change), pytest.raises(Killed):
            snapshot(archive)
        is_kept = change > 2  # which are: the keys of its episodes, the draft, and what it is
        assert len(lake.snapshots()) == is_kept, change
        archive.compact()
        held = held_files(archive)
        vacuum_archive(archive, keep=NOW)
        assert held_files(archive) == held, change  # who makes it may live still
        assert check_archive(archive).is_sound
        dry, done = (
            vacuum_archive(archive, keep=NOW, grace=NOW, dry_run=dry_run) for dry_run in (True, False)
        )
        assert dry.tables["steps"].files == done.tables["steps"].files == (0 if is_kept else 2), change
        assert dry.leftovers == done.leftovers == (0 if is_kept or not change else 1 + (change > 1)), change
        assert held_files(archive) == (held if is_kept else frozenset())
        assert snapshot(archive).id in [one.id for one in lake.snapshots()]
        assert check_archive(archive).is_sound


@pytest.mark.parametrize("place", PLACES)
def test_a_draft_is_no_snapshot_to_anybody(
    place: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_in(place, request, tmp_path)
    archive = lake.create("demo", spec=SPEC)
    fill(archive)
    made = snapshot(archive)
    delete_snapshot(made)
    die_drafting(archive, monkeypatch)
    assert held_files(archive) == set(made.files)
    with pytest.raises(NotFoundError):
        lake.snapshot(made.id)
    for action in (lambda: pin(made, by="model/a"), lambda: delete_snapshot(made)):
        with pytest.raises(NotFoundError):
            action()
    assert vacuum_archive(archive, grace=NOW).leftovers == 2  # and the keys of its episodes
    assert held_files(archive) == frozenset()


def test_a_draft_that_somebody_died_over_is_made_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, archive = filled(tmp_path)
    die_drafting(archive, monkeypatch)
    made = snapshot(archive)
    assert [one.id for one in lake.snapshots()] == [made.id]
    assert made.read_keys() is not None and vacuum_archive(archive, grace=NOW).leftovers == 0


def test_who_slept_until_a_vacuum_took_the_draft_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, archive = filled(tmp_path)
    old = archive.table("steps").file_names()
    change, changes = StateLog.change, list[str]()

    def slowly(self: StateLog, key: str, *args: object) -> object:
        changes.append(key)
        if len(changes) == 2:  # the draft is stored, and its files were seen in the table
            archive.compact()
            vacuum_archive(archive, keep=NOW, grace=NOW)
            assert set(archive.table("steps").file_names()).isdisjoint(old)
        return change(self, key, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(StateLog, "change", slowly)
    made = snapshot(archive)
    assert list(made.files) == archive.table("steps").file_names()
    assert [one.id for one in lake.snapshots()] == [made.id]
    assert check_archive(archive).is_sound


def test_who_slept_before_the_draft_was_stored_has_the_keys_of_its_episodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, archive = filled(tmp_path)
    change, changes = StateLog.change, list[str]()

    def slowly(self: StateLog, key: str, *args: object) -> object:
        changes.append(key)
        if len(changes) == 1:
            assert vacuum_archive(archive, grace=NOW).leftovers == 1
        return change(self, key, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(StateLog, "change", slowly)
    keys = snapshot(archive).read_keys()
    assert keys is not None and keys["episode_id"].to_pylist() == ["e", "f"]
    assert len(lake.snapshots()) == 1


def test_an_erasure_passes_by_a_snapshot_that_is_deleted_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, archive = filled(tmp_path)
    made = snapshot(archive)
    plan = archive.plan_erasure(Criterion(where="episode_id = 'e'"), "asked for")
    mark = getattr(ErasureRun, "_mark_kept")  # noqa: B009

    def marking(self: ErasureRun, one: Snapshot) -> None:
        delete_snapshot(made)
        mark(self, one)

    monkeypatch.setattr(ErasureRun, "_mark_kept", marking)
    assert archive.erase(plan).finished_at is not None
    assert lake.snapshots() == []
