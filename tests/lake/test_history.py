"""What the versions of an archive's tables say was done, on a disk and on a real S3 server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake import Archive, ArchiveLanding
from lake.cold import cold_store
from lake.horizon import set_oldest_version
from lake.maintenance.erasure_plan import Criterion
from lake.maintenance.vacuum import vacuum_archive
from schemas.errors import NotFoundError, UsageError
from schemas.protocols import Move
from schemas.spaces import Text
from tests.lake.archives import SPEC, append, landed_rows, make, numbers, refused_rows, row
from tests.lake.places import PLACES, lake_in
from tests.lake.retention.days import AGED, TODAY, fill

_SAID = {"replaylake.origin": "ingest"}


def told(archive: Archive) -> list[tuple[str, int | None, int | None, int | None, int | None]]:
    """Return what was done, with rows and files that came and went."""
    return [
        (one.done, one.rows_added, one.rows_removed, one.files_added, one.files_removed)
        for one in archive.versions()
    ]


@pytest.mark.parametrize("place", PLACES)
def test_each_version_says_what_was_done(place: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    lake = lake_in(place, request, tmp_path)
    archive = lake.create("demo", spec=SPEC)
    before = datetime.now(UTC)
    landing = ArchiveLanding(archive)
    landing.commit("quarantine", refused_rows(SPEC, {"date": "2026-01-01"}), {"demo/t/0": Move(-1, 0)}, _SAID)
    landing.commit("steps", landed_rows(SPEC, 2), {"demo/t/0": Move(-1, 0)}, _SAID)
    append(archive, row(1), row(5))
    archive.evolve(SPEC.model_copy(update={"extras": {"campaign": Text(max_length=9)}}))
    archive.compact()
    assert told(archive) == [
        ("compaction", 4, 4, 1, 2),
        ("evolve", 0, 0, 0, 0),
        ("append", 2, 0, 1, 0),
        ("ingest", 2, 0, 1, 0),
        ("create", 0, 0, 0, 0),
    ]
    found = archive.versions()
    assert [one.version for one in found] == [4, 3, 2, 1, 0]
    assert [one.columns for one in found] == [(), ("campaign",), (), (), ()]
    assert all(one.is_readable for one in found)
    assert all(abs(one.at - before) < timedelta(minutes=5) for one in found)
    assert [one.done for one in archive.versions("quarantine")] == [
        *("compaction", "evolve", "ingest", "create")
    ]
    assert [one.version for one in archive.versions(limit=2)] == [4, 3]
    for one in found:
        assert numbers(lake, f"select count(*) from demo.steps at (version => {one.version})") == [
            sum((older.rows_added or 0) - (older.rows_removed or 0) for older in found[4 - one.version :])
        ]

    plan = archive.plan_erasure(Criterion(where="step = 5"), "asked to")
    archive.erase(plan)
    erased = archive.versions()
    readable = [one.version for one in erased if one.is_readable]
    assert readable
    assert min(readable) > 4
    assert {one.done for one in erased if one.version > 4} == {"erasure"}
    assert {one.rows_added for one in erased if not one.is_readable} == {None}
    with pytest.raises(NotFoundError):
        lake.sql(f"select * from demo.steps at (version => {min(readable) - 1})").rows()


def test_files_that_came_before_the_listed_versions_are_counted(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0), row(1))
    append(archive, row(2))
    archive.compact()
    [newest] = archive.versions(limit=1)
    assert (newest.rows_removed, newest.files_removed) == (3, 2)


def test_what_the_log_does_not_tell_any_more_is_unknown(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0), row(1))
    append(archive, row(2))
    archive.compact()
    archive.table("steps").checkpoint()
    for version in range(3):  # as Delta's own cleaning of a log does
        (archive.folder / f"steps/_delta_log/{version:020d}.json").unlink()
    assert told(archive) == [("compaction", 3, None, 1, 2)]


def test_what_was_vacuumed_is_not_readable(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0))
    append(archive, row(1))
    archive.compact()
    vacuum_archive(archive, keep=timedelta(0), grace=timedelta(0))
    readable = {one.version: one.is_readable for one in archive.versions()}
    assert [readable[version] for version in range(4)] == [False, False, False, True]
    for version, is_readable in readable.items():
        if is_readable:
            assert numbers(lake, f"select count(*) from demo.steps at (version => {version})") == [2]


def test_a_version_whose_cold_rows_are_gone_is_not_readable(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, AGED)
    fill(archive, 20, 7, 2)
    archive.retain(today=TODAY)
    archive.retain(today=TODAY + timedelta(days=1))
    [newest, *others] = archive.versions()
    assert newest.is_readable
    assert {"retention"} <= {one.done for one in (newest, *others)}
    cold = cold_store(archive)
    assert cold is not None
    counting = archive.table("steps").position("demo/cold")
    assert counting > 0
    set_oldest_version(cold, counting)
    for one in archive.versions():
        query = f"select count(*) from demo.steps at (version => {one.version})"
        if one.is_readable:
            lake.sql(query).rows()
        else:
            with pytest.raises(NotFoundError):
                lake.sql(query).rows()
    assert {one.is_readable for one in archive.versions()} == {True, False}


def test_less_than_one_version_is_refused(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    with pytest.raises(UsageError, match="0 versions"):
        archive.versions(limit=0)
