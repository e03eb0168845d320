"""Keys that are there twice are found wherever they are, with their files; compaction mends hot ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import Archive
from lake.cold import COLD, StepsTables
from lake.maintenance.check import check_archive
from lake.maintenance.check_report import Problem
from lake.maintenance.retain import retain
from tests.cli.command import call, ok
from tests.lake.archives import append, make
from tests.lake.maintenance.reference import key_of_all_days, refused_of, steps_of
from tests.lake.retention.days import AGED, TODAY, on_day


def problems(archive: Archive) -> list[Problem]:
    return check_archive(archive, deep=True).problems


def file_of(archive: Archive, age: int) -> str:
    """Return the one file of a day."""
    (name,) = (name for name in StepsTables(archive).file_names() if _date(age) in name)
    return name


def _what(rows: int, other: str, conflicts: int) -> str:
    return f"{rows} rows have a key that a row of {other} has, {conflicts} of them with other content"


def _date(age: int) -> str:
    return TODAY.replace(day=TODAY.day - age).isoformat()


def test_over_days_each_file_is_named_and_a_compaction_mends_it(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, AGED)
    append(archive, *(on_day(1, step) for step in range(4)))
    append(archive, on_day(2, 0), on_day(2, 1, reward=9.0), on_day(2, 7))
    append(archive, on_day(3, 3))
    archive.compact()  # which compares day by day
    first, second, third = (file_of(archive, age) for age in (1, 2, 3))
    mend = "Run: replaylake maintain compact demo --all-days"
    assert {(one.table, one.file, one.what, one.mend) for one in problems(archive)} == {
        ("steps", second, _what(2, first, 1), mend),
        ("steps", third, _what(1, first, 0), mend),
    }
    said = call("maintain", "check", "demo", "--deep", "--lake", lake.url)
    assert said.code == 1 and mend in said.out
    [dry] = ok(*mend.split()[2:], "--dry-run", "--lake", lake.url, "--json").document
    assert (dry["tables"]["steps"]["duplicates"], dry["tables"]["steps"]["conflicts"]) == (2, 1)
    ok(*mend.split()[2:], "--lake", lake.url)
    assert problems(archive) == []
    assert sorted((row["date"], row["step"]) for row in steps_of(archive)) == sorted(
        [*((_date(1), step) for step in range(4)), (_date(2), 7)]
    )
    assert [(row["step"], row["reward"]) for row in refused_of(archive)] == [(1, 9.0)]


def test_hot_rows_and_cold_ones_are_compared(tmp_path: Path) -> None:
    _, archive = make(tmp_path, AGED)
    append(archive, on_day(8, 0), on_day(8, 1))
    append(archive, on_day(9, 5))
    retain(archive, today=TODAY)
    append(archive, on_day(8, 1), on_day(1, 5, reward=3.0))
    cold = [file_of(archive, 9), min(name for name in StepsTables(archive).file_names() if _date(8) in name)]
    assert all(name.startswith(COLD) for name in cold)
    found = problems(archive)
    assert [(one.code, one.table) for one in found] == [("duplicate_keys", "steps")] * 2
    assert {(one.file[:15], one.what) for one in found} == {
        (f"date={_date(8)}", _what(1, cold[1], 0)),
        (f"date={_date(1)}", _what(1, cold[0], 1)),
    }
    retain(archive, today=TODAY)
    assert {(one.table, COLD in one.what) for one in problems(archive)} == {("cold", True), ("steps", True)}
    assert all("erase" in one.mend for one in found)


PLACES = st.tuples(st.sampled_from([1, 2, 8, 9]), st.integers(0, 3), st.sampled_from([0.0, 1.0]))


@given(st.lists(st.lists(PLACES, min_size=1, max_size=4), max_size=3), st.lists(PLACES, max_size=4))
@settings(max_examples=8)
def test_as_many_are_told_as_a_slow_look_finds(
    tmp_path_factory: pytest.TempPathFactory, early: list[list[tuple[Any, ...]]], late: list[tuple[Any, ...]]
) -> None:
    _, archive = make(tmp_path_factory.mktemp("lake"), AGED)
    for rows in early:
        append(archive, *(on_day(age, step, reward=reward) for age, step, reward in rows))
    retain(archive, today=TODAY)
    if late:
        append(archive, *(on_day(age, step, reward=reward) for age, step, reward in late))
    tables = StepsTables(archive)
    held = Counter(
        key_of_all_days(row) for name in tables.file_names() for row in tables.read(name).to_pylist()
    )
    told = sum(int(one.what.partition(" ")[0]) for one in problems(archive))
    assert told == sum(held.values()) - len(held)
