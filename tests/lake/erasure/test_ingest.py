"""What was erased is kept out of both tables, by workers that knew of it and by those that did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lake import Archive, ArchiveLanding, ReplayLanding
from lake.maintenance.erase import erase
from lake.maintenance.erasure_plan import Criterion, plan_erasure
from replaylake.flows.quarantine import replay_quarantine
from schemas.protocols import Move, TableName
from tests.ingest.samples import (
    NO_REWARD_OVER,
    drain,
    landed,
    make_archive,
    make_intake,
    make_stream,
    quarantined,
    send,
    step,
)
from tests.quarantine.samples import LENIENT, quarantine

WHO = "user-17"


def erase_them(archive: Archive, *, for_good: bool = False) -> None:
    erase(archive, plan_erasure(archive, Criterion(agent=WHO, for_good=for_good), "asked for"))


@pytest.mark.parametrize("for_good", [False, True])
def test_what_comes_again_is_dropped_and_counted(for_good: bool, tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    torn = f'{{"agent_id": "{WHO}", "reward": '.encode()
    theirs: list[dict[str, Any] | bytes] = [step(1, agent_id=WHO), step(70, agent_id=WHO), torn]
    send(stream, topic, *theirs, step(2), step(71), b'{"agent_id": "x", ')
    intake = make_intake(archive, topic, NO_REWARD_OVER)
    assert drain(stream, intake).erased == 0
    erase_them(archive, for_good=for_good)
    assert (landed(archive), quarantined(archive)) == (Counter([2.0]), Counter([71.0, None]))
    send(stream, topic, *theirs, step(3, agent_id=WHO), step(4))
    report = drain(stream, make_intake(archive, topic, NO_REWARD_OVER))
    # What does not decode happened when its message was sent: after the erasure.
    unfit = 0 if for_good else 1
    counts = (report.accepted, report.quarantined, report.duplicates, report.erased)
    assert counts == (1, unfit, 0, 4 - unfit)
    assert report.to_dict()["erased"] == 4 - unfit and f"{4 - unfit} erased before" in str(report)
    assert landed(archive) == Counter([2.0, 4.0])
    assert quarantined(archive) == Counter([71.0, None] + [None] * unfit)


class Late(ArchiveLanding):
    """Land rows that were judged before an erasure, which comes just before the commit to one table."""

    def __init__(self, archive: Archive, table: TableName) -> None:
        super().__init__(archive)
        self._whole = archive
        self._before: TableName | None = table

    def commit(
        self, table: TableName, rows: pa.Table, moves: Mapping[str, Move], metadata: Mapping[str, str]
    ) -> int:
        if table == self._before:
            self._before = None
            erase_them(self._whole)
        return super().commit(table, rows, moves, metadata)


@pytest.mark.parametrize("table", ["steps", "quarantine"])
def test_an_erasure_beside_a_worker_is_not_undone_by_it(table: TableName, tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    send(stream, topic, step(1, agent_id=WHO), step(70, agent_id=WHO), step(2), step(71))
    report = drain(stream, make_intake(archive, topic, NO_REWARD_OVER, Late(archive, table)))
    assert (landed(archive), quarantined(archive)) == (Counter([2.0]), Counter([71.0]))
    assert report.conflicts == 1 and report.erased > 0


def test_an_erasure_beside_a_replay_is_not_undone_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = quarantine(tmp_path, step(60, agent_id=WHO), step(61))
    archive.change_suite(LENIENT)
    commit = ReplayLanding.commit
    erased: list[bool] = []

    def late(self: ReplayLanding, *args: Any) -> str:
        if not erased:
            erased.append(True)
            erase_them(archive)
        return commit(self, *args)

    monkeypatch.setattr(ReplayLanding, "commit", late)
    report = replay_quarantine(archive)
    assert (report.landed, report.conflicts) == (1, 1)
    assert landed(archive) == Counter([61.0])
