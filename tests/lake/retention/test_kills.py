"""Whoever moves rows may die at any moment, or sleep through what others do: each row is seen once."""

from __future__ import annotations

import itertools
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from lake import Lake
from lake.maintenance.cold import ColdTable
from lake.maintenance.retain import retain
from tests.lake.archives import append, make
from tests.lake.kills import Killed, killed_before
from tests.lake.retention.days import AGED, TODAY, fill, on_day, rows_of, seen

FIRST, LAST = (1, 8, 9, 40), (1, 8, 9)


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake from which rows are to be moved and deleted, hot ones and cold ones."""
    folder = tmp_path_factory.mktemp("aged")
    lake, archive = make(folder, AGED)
    fill(archive, 35)
    retain(archive, today=TODAY.replace(day=1))  # which moves it
    fill(archive, *FIRST)
    assert seen(lake) == rows_of(35, *FIRST)
    return folder


def test_a_kill_before_any_change_loses_nothing_and_doubles_nothing(aged: Path, tmp_path: Path) -> None:
    change = 0
    while True:
        folder = tmp_path / str(change)
        shutil.copytree(aged, folder)
        lake = Lake(folder / "lake")
        with killed_before(change) as kill:
            try:
                retain(lake.archive("demo"), today=TODAY)
                is_done = True
            except Killed:
                is_done = False
        held = [row for row in seen(lake) if row not in rows_of(35, 40)]
        assert held == rows_of(*LAST), change
        assert len(seen(lake)) == len(set(seen(lake))), change
        retain(lake.archive("demo"), today=TODAY)
        assert seen(lake) == rows_of(*LAST), change
        if is_done:
            break
        change += 1
    assert kill.count > 5


def test_a_kill_before_any_change_of_who_comes_after_a_kill(aged: Path, tmp_path: Path) -> None:
    shutil.copytree(aged, tmp_path / "counted")
    with killed_before(None) as whole:
        retain(Lake(tmp_path / "counted" / "lake").archive("demo"), today=TODAY)
    for change in itertools.count():
        folder = tmp_path / str(change)
        shutil.copytree(aged, folder)
        lake = Lake(folder / "lake")
        # The last change lets what was added to the cold table count.
        with killed_before(whole.count - 1), pytest.raises(Killed):
            retain(lake.archive("demo"), today=TODAY)
        with killed_before(change), suppress(Killed):
            retain(lake.archive("demo"), today=TODAY)
        assert seen(lake) == rows_of(*LAST), change
        with killed_before(None) as left:
            retain(lake.archive("demo"), today=TODAY)
        if not left.count:
            break


def test_of_two_at_once_the_slow_one_changes_nothing(
    aged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "slow"
    shutil.copytree(aged, folder)
    lake = Lake(folder / "lake")
    switch = getattr(ColdTable, "_switch")  # noqa: B009
    slept: list[bool] = []

    def sleepy(self: ColdTable, *args: object) -> None:
        if len(slept) < 2:
            slept.append(True)
            retain(lake.archive("demo"), today=TODAY)
            append(lake.archive("demo"), on_day(8, 3, episode_id="late"))
            retain(lake.archive("demo"), today=TODAY)
        switch(self, *args)

    monkeypatch.setattr(ColdTable, "_switch", sleepy)
    retain(lake.archive("demo"), today=TODAY)
    late = [row for row in seen(lake) if row[0] == "late"]
    assert [row for row in seen(lake) if row[0] != "late"] == rows_of(*LAST)
    assert len(late) == len(slept) == 2
