"""Replays that race, that die, and that meet workers land nothing twice and lose nothing."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pytest

from lake import Archive, ArchiveLanding, Lake, ReplayLanding
from lake.commits import CommitLog
from replaylake.flows.quarantine import replay_quarantine
from schemas.errors import CommitConflictError, StorageError
from schemas.protocols import Move, replays_id
from schemas.step import quarantine_schema, steps_schema
from tests.ingest.samples import drain, landed, make_intake, make_stream, quarantined, send, step
from tests.quarantine.samples import LENIENT, at, ingest, origins, quarantine, rows_of

ROOT = Path(__file__).parents[2]
GUARD = replays_id("demo")


class Crash(Exception):
    """Stand for the end of the process."""


def mended(folder: Path, count: int = 4) -> Archive:
    """Return an archive whose suite is mended, with rows in quarantine that pass now."""
    archive = quarantine(folder, *(step(60 + number) for number in range(count)))
    archive.change_suite(LENIENT)
    return archive


def lists(archive: Archive) -> list[Path]:
    """Return the lists of resolved rows that lie on disk."""
    return sorted((archive.folder / "replays").glob("*"))


def nothing(archive: Archive) -> pa.Table:
    """Return no rows of the steps table."""
    return steps_schema(archive.spec).empty_table()


# Crashes


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_crash_at_the_commit_lands_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    archive = mended(tmp_path)
    real = CommitLog.append

    def crash(log: CommitLog, *given: object, **options: object) -> int:
        if place == "after":
            real(log, *given, **options)  # type: ignore[arg-type]
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(CommitLog, "append", crash)
        with pytest.raises(Crash):
            replay_quarantine(archive)
    assert len(lists(archive)) == 1
    done = 4 if place == "after" else 0
    assert sum(landed(archive).values()) == done
    assert sum(quarantined(archive).values()) == 4 - done

    assert replay_quarantine(archive).landed == 4 - done
    assert origins(archive, "steps") == at(0, 1, 2, 3)
    assert origins(archive, "quarantine") == Counter()


def test_a_crash_between_batches_keeps_what_has_landed(tmp_path: Path) -> None:
    archive = mended(tmp_path)
    stream, topic = make_stream(tmp_path)
    archive.change_suite({"name": "none", "expectations": [_no_reward()]})
    with stream:
        ingest(archive, stream, topic, step(90), step(91))
    archive.change_suite(LENIENT)

    def crash(_: object) -> None:
        raise Crash

    with pytest.raises(Crash):
        replay_quarantine(archive, batch_rows=1, on_progress=crash)
    assert origins(archive, "steps") == at(0, 1, 2, 3)
    assert replay_quarantine(archive).landed == 2
    assert origins(archive, "steps") == at(*range(6))


def _no_reward() -> dict[str, object]:
    return {"type": "expect_column_values_to_be_between", "kwargs": {"column": "reward", "max_value": 0}}


def test_what_a_dead_replay_left_counts_for_nothing_and_is_cleaned_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = mended(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(CommitLog, "append", _crash)
        for _ in range(3):
            with pytest.raises(Crash):
                replay_quarantine(archive)
    assert len(lists(archive)) == 3
    assert sum(quarantined(archive).values()) == 4

    replay_quarantine(archive, limit=1)
    assert len(lists(archive)) == 4  # they might have landed until now: only now can they not any more
    assert sum(quarantined(archive).values()) == 3
    replay_quarantine(archive)
    assert len(lists(archive)) == 2
    assert (sum(landed(archive).values()), sum(quarantined(archive).values())) == (4, 0)


def _crash(*_: object, **__: object) -> int:
    raise Crash


def test_a_list_that_is_lost_is_told_of_and_doubles_nothing(tmp_path: Path) -> None:
    archive = mended(tmp_path)
    replay_quarantine(archive)
    lists(archive)[0].unlink()
    with pytest.raises(StorageError, match="replay 0 resolved is not in"):
        replay_quarantine(archive)
    with pytest.raises(StorageError, match="replay 0"):
        quarantined(archive)


@pytest.mark.timeout(120)
def test_kill_9_at_random_moments(tmp_path: Path) -> None:
    """Each round a process replays in small batches until it is killed; the last one is let be."""
    archive = quarantine(tmp_path)
    stream, topic = make_stream(tmp_path)
    count = 24
    with stream:
        for number in range(count):
            ingest(archive, stream, topic, step(60 + number))
    archive.change_suite(LENIENT)
    code = (
        "import sys; from lake import Lake; from replaylake import replay_quarantine\n"
        "print('ready', flush=True)\n"
        "replay_quarantine(Lake(sys.argv[1]).archive('demo'), batch_rows=1)"
    )
    command = [sys.executable, "-c", code, str(archive.folder.parent)]
    for last in (False, False, True):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            if not last:
                time.sleep(random.uniform(0.1, 0.5))  # the moment of death is random on purpose
                running.kill()
        both = origins(archive, "steps") + origins(archive, "quarantine")
        assert both == at(*range(count))
    assert origins(archive, "quarantine") == Counter()


# Races


def test_replays_in_threads_land_each_row_once(tmp_path: Path) -> None:
    archive = quarantine(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        for first in range(0, 40, 10):
            ingest(archive, stream, topic, *(step(60 + first + number) for number in range(10)))
    archive.change_suite(LENIENT)
    start = Barrier(4)

    def race(_: int) -> int:
        start.wait()
        return replay_quarantine(Lake(tmp_path / "lake").archive("demo"), batch_rows=10).landed

    with ThreadPoolExecutor(4) as threads:
        landed_by = list(threads.map(race, range(4)))
    assert sum(landed_by) == 40
    assert origins(archive, "steps") == at(*range(40))
    assert origins(archive, "quarantine") == Counter()


def test_a_replay_that_another_one_was_faster_than_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = mended(tmp_path)
    real = ReplayLanding.commit
    waiting = [True]

    def late(landing: ReplayLanding, rows: pa.Table, resolved: pa.Table, said: Mapping[str, str]) -> str:
        if waiting.pop() if waiting else False:
            replay_quarantine(archive, limit=3)
        return real(landing, rows, resolved, said)

    monkeypatch.setattr(ReplayLanding, "commit", late)
    report = replay_quarantine(archive)
    assert (report.chosen, report.landed, report.taken, report.conflicts) == (4, 1, 3, 1)
    assert (report.duplicates, report.failed) == (0, 0)
    assert rows_of(archive, "select count(*), count(resolved_by) from demo.quarantine_all") == [(4, 4)]
    assert origins(archive, "steps") == at(0, 1, 2, 3)
    assert len(lists(archive)) == 2


def test_a_worker_that_lands_the_same_key_first_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and committing, a worker lands one row again and another under the same key."""
    archive = mended(tmp_path, 3)
    stream, topic = make_stream(tmp_path)
    real = ReplayLanding.commit
    waiting = [True]

    def late(landing: ReplayLanding, rows: pa.Table, resolved: pa.Table, said: Mapping[str, str]) -> str:
        if waiting.pop() if waiting else False:
            ingest(archive, stream, topic, step(60), step(61, reward=1.0))
        return real(landing, rows, resolved, said)

    monkeypatch.setattr(ReplayLanding, "commit", late)
    with stream:
        report = replay_quarantine(archive)
    assert (report.landed, report.duplicates, report.conflicts) == (1, 1, 1)
    assert report.reasons == {"key_conflict": 1}
    assert origins(archive, "steps") == at(3, 4, 2)
    assert origins(archive, "quarantine") == at(1)


def test_workers_that_land_all_the_time_make_a_replay_give_up_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = mended(tmp_path)
    monkeypatch.setattr("replaylake.flows.quarantine._ATTEMPTS", 3)

    def never(*_: object) -> str:
        raise CommitConflictError("somebody was faster")

    monkeypatch.setattr(ReplayLanding, "commit", never)
    with pytest.raises(StorageError, match="3 times"):
        replay_quarantine(archive)
    assert sum(quarantined(archive).values()) == 4


# What a worker needs to know


def test_a_landing_that_asks_for_no_replay_is_refused_after_one(tmp_path: Path) -> None:
    """Its rows were compared with what had landed before the replay."""
    archive = mended(tmp_path)
    worker = ArchiveLanding(archive)
    seen = worker.position("steps", GUARD)
    stays = {GUARD: Move(seen, seen)}
    worker.commit("steps", nothing(archive), {"w": Move(-1, 0), **stays}, {})
    replay_quarantine(archive)
    with pytest.raises(CommitConflictError, match="demo/replays is 0, not -1"):
        worker.commit("steps", nothing(archive), {"w": Move(0, 1), **stays}, {})
    worker.refresh()  # what it compared its rows with is still what was there before
    with pytest.raises(CommitConflictError):
        worker.commit("steps", nothing(archive), {"w": Move(0, 1), **stays}, {})
    seen = worker.position("steps", GUARD)
    worker.commit("steps", nothing(archive), {"w": Move(0, 1), GUARD: Move(seen, seen)}, {})
    assert (worker.position("steps", "w"), worker.position("steps", GUARD)) == (1, 0)


def test_a_replay_is_noticed_before_the_verdicts_are_settled(tmp_path: Path) -> None:
    """Once quarantine is committed a row that it does not hold lands, whatever else has landed."""
    archive = mended(tmp_path)
    worker = ArchiveLanding(archive)
    seen = worker.position("steps", GUARD)
    replay_quarantine(archive)
    refused = quarantine_schema(archive.spec).empty_table()
    with pytest.raises(CommitConflictError, match="demo/replays is 0, not -1"):
        worker.commit("quarantine", refused, {"w": Move(-1, 9), GUARD: Move(seen, seen)}, {})
    worker.commit("quarantine", refused, {"w": Move(-1, 9), GUARD: Move(0, 0)}, {})
    worker.refresh()
    assert (worker.position("quarantine", "w"), worker.position("quarantine", GUARD)) == (9, -1)


def test_workers_that_ask_for_no_replay_do_not_hinder_each_other(tmp_path: Path) -> None:
    archive = mended(tmp_path)
    replay_quarantine(archive, limit=1)
    workers = [ArchiveLanding(archive) for _ in range(3)]
    for number, worker in enumerate(workers):
        moves = {f"w{number}": Move(-1, 5), GUARD: Move(0, 0)}
        worker.commit("steps", nothing(archive), moves, {})
    workers[0].refresh()
    assert [workers[0].position("steps", f"w{number}") for number in range(3)] == [5, 5, 5]


def test_a_worker_that_reads_again_leaves_what_was_replayed_where_it_is(tmp_path: Path) -> None:
    """It died between its two commits, and its row was replayed before the next one started."""
    archive = quarantine(tmp_path)
    stream, topic = make_stream(tmp_path)
    real = ArchiveLanding.commit

    class Dying(ArchiveLanding):
        def commit(self, table, rows, moves, metadata):  # type: ignore[no-untyped-def]
            if table == "steps":
                raise Crash
            return real(self, table, rows, moves, metadata)

    with stream:
        send(stream, topic, step(1), step(99))
        with pytest.raises(Crash):
            drain(stream, make_intake(archive, topic, archive.suite, Dying(archive)))
        archive.change_suite(LENIENT)
        assert replay_quarantine(archive).landed == 1
        assert origins(archive, "steps") == at(1)
        drain(stream, make_intake(archive, topic, LENIENT))
    assert origins(archive, "steps") == at(0, 1)
    assert origins(archive, "quarantine") == Counter()


def test_snapshots_hold_what_they_held(tmp_path: Path) -> None:
    archive = quarantine(tmp_path, step(1), step(99))
    archive.change_suite(LENIENT)
    before = archive.snapshot()
    replay_quarantine(archive)
    assert Lake(tmp_path / "lake").snapshot(before.id).rows == 1
    assert archive.snapshot().rows == 2
    assert rows_of(archive, "select count(*) from demo.quarantine_all") == [(1,)]
