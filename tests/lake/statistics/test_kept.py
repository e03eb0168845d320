"""What is kept of dates: read again only where rows changed, and never believed where it is damaged."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from lake import Archive
from lake.maintenance.retain import retain
from schemas.errors import StorageError
from tests.lake.archives import DAY, append, make, refused_rows, row
from tests.lake.places import PLACES, lake_in
from tests.lake.statistics.rows import SPEC


def everything_kept(archive: Archive) -> list[str]:
    """Name what is kept."""
    return [file.name for file in archive.store.files("statistics")]


def kept(archive: Archive) -> dict[str, float]:
    """Return what is kept of dates, and when it was written."""
    files = archive.store.files("statistics")
    return {file.name: file.modified.timestamp() for file in files if "/answers/" not in file.name}


def days(archive: Archive, *numbers: int) -> None:
    """Append a complete episode on each of those days."""
    for number in numbers:
        steps = [
            row(
                step,
                episode_id=f"day {number} {archive.table('steps').version}",
                observation=[0.0, 1.0],
                event_time=DAY + timedelta(days=number),
                terminated=step == 2,
            )
            for step in range(3)
        ]
        append(archive, *steps)


def dates(names: set[str]) -> set[str]:
    """Return the days that kept files are of."""
    return {name.split("/")[1] for name in names}


def test_only_the_day_that_got_rows_is_read_again(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0, 1, 2)
    archive.statistics()
    before = kept(archive)
    assert len(before) == 6
    archive.statistics(by="week")
    assert kept(archive) == before
    days(archive, 1)
    assert archive.statistics().rows == 12
    after = kept(archive)
    assert len(after) == 6  # what was kept of the day's old files is gone
    assert dates(after.keys() - before.keys()) == {"2026-01-02"}
    assert all(after[name] == before[name] for name in after.keys() & before.keys())


def test_a_range_reads_the_values_of_its_days_alone(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0, 1, 2)
    archive.statistics(since=date(2026, 1, 2), until=date(2026, 1, 2))
    assert dates({name for name in kept(archive) if "/values" in name}) == {"2026-01-02"}


def test_rows_that_compaction_moved_are_not_read_again(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0, 0, 1, 1)
    before = archive.statistics()
    names = archive.table("steps").file_names()
    archive.compact()
    assert archive.table("steps").file_names() != names
    for name in archive.table("steps").file_names():  # nobody can read them
        archive.store.below("steps").write(name, b"torn")
    after = archive.statistics()
    assert after.returns == before.returns and after.observations == before.observations
    assert len(kept(archive)) == 4


def test_a_day_that_lost_and_got_as_many_rows_is_read_again(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0, 1)
    archive.statistics()
    steps = archive.table("steps")
    steps.rewrite([name for name in steps.file_names() if "2026-01-01" in name], [], {}, {}, loses_rows=True)
    append(archive, *[row(step, observation=[9.0, 9.0], reward=7.0) for step in range(3)])
    assert archive.statistics(until=date(2026, 1, 1)).rewards.mean == 7.0


@pytest.mark.parametrize(
    "damage", [b"", b"torn", b"{}\n", b'{"version":1,"rows":3,"sha256":"0"}\nx', b"null\n"]
)
def test_what_is_torn_is_made_again(damage: bytes, tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0)
    wanted = archive.statistics()
    for name in everything_kept(archive):
        archive.store.write(name, damage)
    assert archive.statistics() == wanted
    assert archive.statistics() == wanted


def test_a_flipped_bit_is_seen(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0)
    wanted = archive.statistics()
    for name in everything_kept(archive):
        content = bytearray(archive.store.read(name))
        content[-10] ^= 1
        archive.store.write(name, bytes(content))
    assert archive.statistics() == wanted


def test_nothing_is_kept_where_nothing_can_be_written(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0)
    (archive.folder / "statistics").write_text("a file stands where the folder would be")
    assert archive.statistics().rows == 3


def test_what_is_kept_of_days_that_are_gone_goes(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0, 1)
    archive.statistics()
    steps = archive.table("steps")
    steps.rewrite([name for name in steps.file_names() if "2026-01-01" in name], [], {}, {}, loses_rows=True)
    days(archive, 2)
    assert archive.statistics().first_date == "2026-01-02"
    assert dates(set(kept(archive))) == {"2026-01-02", "2026-01-03"}


def test_all_that_is_kept_can_be_removed(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0, 1)
    wanted = archive.statistics()
    for name in everything_kept(archive):
        archive.store.remove(name)
    assert archive.statistics() == wanted


def test_a_damaged_file_of_the_table_is_said(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0)
    archive.store.below("steps").write(archive.table("steps").file_names()[0], b"torn")
    with pytest.raises(StorageError, match="does not read"):
        archive.statistics()


@pytest.mark.parametrize("place", PLACES)
def test_wherever_the_lake_is(place: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    archive = lake_in(place, request, tmp_path).create("demo", spec=SPEC)
    days(archive, 0, 1)
    first = archive.statistics()
    assert first.rows == 6 and len(kept(archive)) == 4
    assert archive.statistics() == first
    days(archive, 1)
    assert archive.statistics().episodes.complete == 3


def test_rows_that_moved_to_the_cold_place_are_the_same_rows(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC.model_copy(update={"hot_days": 1}))
    days(archive, 0, 1, 2)
    before = archive.statistics()
    written = kept(archive)
    retain(archive, today=date(2026, 1, 3))
    after = archive.statistics()
    assert [(tier.name, tier.rows) for tier in after.tiers] == [("cold", 3), ("hot", 6)]
    assert after.returns == before.returns and after.over_time[0].rows == before.over_time[0].rows
    assert len(kept(archive)) == len(written)
    assert dates(kept(archive).keys() - written.keys()) == {"2026-01-01"}


def test_an_answer_is_kept_until_the_steps_change(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0, 1)
    first, by_week = archive.statistics(), archive.statistics(by="week")
    for name in kept(archive):
        archive.store.remove(name)
    assert archive.statistics() == first and archive.statistics(by="week") == by_week
    assert not kept(archive)  # nothing was put together again
    days(archive, 1)
    assert archive.statistics().rows == 9
    assert sum("/answers/" in name for name in everything_kept(archive)) == 1


def test_what_is_in_quarantine_is_counted_anew(tmp_path: Path) -> None:
    _, archive = make(tmp_path, SPEC)
    days(archive, 0)
    assert archive.statistics().quarantined == 0
    refused = {"reasons": ["undecodable"], "date": "2026-01-01", "ingested_at": DAY}
    archive.table("quarantine").append(refused_rows(SPEC, refused), {}, {})
    assert [one.reason for one in archive.statistics().quarantine] == ["undecodable"]
