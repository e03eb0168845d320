"""Two retentions at once, one of which comes between any two commits of the other: each row is seen once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lake.commits import CommitLog
from lake.maintenance import retain as retention
from lake.maintenance.cold import ColdTable
from lake.maintenance.retain import retain
from lake.stores import Store
from schemas.errors import CommitConflictError
from tests.lake.archives import make
from tests.lake.retention.days import AGED, TODAY, fill, rows_of, seen

_LIMIT = 20  # seconds, against a test that hangs


def test_who_settles_leaves_alone_what_was_added_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One moves day by day; another comes between its two commits, and sleeps once it has moved the fence."""
    monkeypatch.setattr(retention, "_FILES_AT_ONCE", 1)
    lake, archive = make(tmp_path, AGED)
    fill(archive, 8, 9, 10)
    switch, rewrite = getattr(ColdTable, "_switch"), CommitLog.rewrite  # noqa: B009
    done: list[str] = []

    def switching(self: ColdTable, *args: Any) -> None:
        if done:
            switch(self, *args)
            return
        done.append("came between")

        def fencing(log: CommitLog, *said: Any, **how: Any) -> int:
            if done == ["came between"]:
                done.append("switched")
                switch(self, *args)
                version = rewrite(log, *said, **how)
                retain(lake.archive("demo"), today=TODAY)
                return version
            return rewrite(log, *said, **how)

        monkeypatch.setattr(CommitLog, "rewrite", fencing)
        with pytest.raises(CommitConflictError):
            ColdTable(lake.archive("demo"))

    monkeypatch.setattr(ColdTable, "_switch", switching)
    retain(lake.archive("demo"), today=TODAY)
    assert done == ["came between", "switched"]
    assert seen(lake) == rows_of(8, 9, 10)
    retain(lake.archive("demo"), today=TODAY)
    assert seen(lake) == rows_of(8, 9, 10)


def test_who_makes_a_cold_table_that_another_has_just_filled_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, archive = make(tmp_path, AGED)
    fill(archive, 8, 9)
    is_table, asked = CommitLog.is_table, list[bool]()

    def asking(store: Store) -> bool:
        said = is_table(store)
        if not asked and not said and store.url.endswith("cold"):
            asked.append(True)
            retain(archive, today=TODAY)
        return said

    monkeypatch.setattr(CommitLog, "is_table", asking)
    retain(archive, today=TODAY)
    assert asked and seen(lake) == rows_of(8, 9)


def test_two_that_find_no_cold_table_move_no_row_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, archive = make(tmp_path, AGED)
    fill(archive, 8, 9)
    made, switch = getattr(ColdTable, "_made"), getattr(ColdTable, "_switch")  # noqa: B009
    added, ended = threading.Event(), threading.Event()
    others: list[threading.Thread] = []

    def making(self: ColdTable) -> CommitLog:
        if not others:
            others.append(threading.Thread(target=retain, args=[archive], kwargs={"today": TODAY}))
            others[0].start()
            assert added.wait(_LIMIT)
        log: CommitLog = made(self)
        return log

    def switching(self: ColdTable, cold: CommitLog, removed: Sequence[str]) -> None:
        if threading.current_thread() in others and not added.is_set():
            added.set()
            assert ended.wait(_LIMIT)
        switch(self, cold, removed)

    monkeypatch.setattr(ColdTable, "_made", making)
    monkeypatch.setattr(ColdTable, "_switch", switching)
    slow = ColdTable(archive)
    with pytest.raises(CommitConflictError):
        slow.take(slow.hot.file_names())
    ended.set()
    others[0].join()
    assert seen(lake) == rows_of(8, 9)
