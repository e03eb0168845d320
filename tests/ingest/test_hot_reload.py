"""A suite that is changed while workers run: each commit by one suite, and no row lost or doubled."""

from __future__ import annotations

import json
import os
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pyarrow as pa
import pytest

from ingest import FlushPolicy, Intake, PollPolicy, Worker
from ingest.worker.lookahead import Lookahead
from ingest.worker.metrics import IngestMetrics
from ingest.worker.report import IngestReport
from lake import Archive, ArchiveLanding, Lake
from replaylake import ingest_follow
from replaylake.flows.suite_watch import SuiteWatch
from schemas.archive_spec import ArchiveSpec
from schemas.errors import StorageError, SuiteError
from schemas.protocols import Move, Partition, Stream, TableName, Topic
from tests.ingest.crash_steps import STRICT
from tests.ingest.samples import (
    NO_REWARD_OVER,
    SPEC,
    drain,
    landed,
    make_archive,
    make_stream,
    quarantined,
    send,
    step,
)
from tests.ingest.test_crash import (
    check_exactly_once,
    finish,
    land_the_rest,
    make,
    next_commit,
    process,
    release,
    worker,
)
from validation import Gate, Suite

LENIENT = {"name": "lenient", "expectations": []}
BAD = {"name": "bad", "expectations": [{"type": "expect_column_values_to_be_odd", "kwargs": {}}]}
FLUSH = FlushPolicy(seconds=0.05)
WAIT = 60  # seconds until a test gives up on an event


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.worker.gate_watch._EVERY", 0.0)


class Heard(IngestMetrics):
    """Tell a test what a worker did, as it happens."""

    def __init__(self) -> None:
        super().__init__()
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()

    def landed(self, archive: str, report: IngestReport, seconds: float) -> None:
        super().landed(archive, report, seconds)
        self.events.put(("landed", report.accepted + report.quarantined))

    def suite_changed(self, archive: str, suite_hash: str) -> None:
        super().suite_changed(archive, suite_hash)
        self.events.put(("changed", suite_hash))

    def suite_refused(self, archive: str, problem: str) -> None:
        super().suite_refused(archive, problem)
        self.events.put(("refused", problem))

    def next(self, kind: str) -> Any:
        """Wait for the next event of a kind, and pass by the others."""
        while True:
            found, value = self.events.get(timeout=WAIT)
            if found == kind:
                return value

    def await_rows(self, count: int) -> None:
        """Wait until so many rows have landed since the last event that was asked for."""
        while count > 0:
            count -= self.next("landed")


@contextmanager
def following(archive: Archive, stream: Stream, name: str = "") -> Iterator[Heard]:
    """Run a worker that follows the stream."""
    heard, stop = Heard(), threading.Event()
    lake = Lake(archive.folder.parent)
    options: dict[str, Any] = {"stream": stream, "stop": stop, "flush": FLUSH, "metrics": heard}
    running = threading.Thread(target=lambda: ingest_follow(lake, **options), name=name)
    running.start()
    try:
        yield heard
    finally:
        stop.set()
        running.join(WAIT)
        assert not running.is_alive()


def commits(archive: Archive, table: TableName) -> list[tuple[str, int]]:
    """Read off the Delta log which suite judged each commit of a worker, and how many rows came with it."""
    found = []
    for path in sorted((archive.folder / table / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        info = next(action["commitInfo"] for action in actions if "commitInfo" in action)
        rows = [json.loads(one["add"]["stats"])["numRecords"] for one in actions if "add" in one]
        if "replaylake.suite" in info:
            found.append((info["replaylake.suite"], sum(rows)))
    return found


def hash_of(suite: Mapping[str, Any] | None, spec: ArchiveSpec = SPEC) -> str:
    return Gate(spec, None if suite is None else Suite.from_dict(suite)).suite_hash


def test_a_running_worker_judges_by_the_new_suite_and_names_both_in_its_commits(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream, following(archive, stream) as heard, heard.serve(0) as port:
        send(stream, topic, step(10), step(60))
        heard.await_rows(2)
        archive.change_suite(NO_REWARD_OVER)
        assert heard.next("changed") == hash_of(NO_REWARD_OVER)
        send(stream, topic, step(11), step(61))
        heard.await_rows(2)
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert 'replaylake_suites_total{archive="demo",outcome="taken"} 1.0' in answer.read().decode()
    assert landed(archive) == Counter([10.0, 60.0, 11.0])
    assert quarantined(archive) == Counter([61.0])
    expected: dict[TableName, tuple[int, int]] = {"steps": (2, 1), "quarantine": (0, 1)}
    for table, rows in expected.items():
        judged = commits(archive, table)
        hashes = [suite for suite, _ in judged]
        assert set(hashes) == {hash_of(None), hash_of(NO_REWARD_OVER)}
        assert hashes == sorted(hashes, key=[hash_of(None), hash_of(NO_REWARD_OVER)].index)
        counted = Counter[str]()
        for suite, count in judged:
            counted[suite] += count
        assert (counted[hash_of(None)], counted[hash_of(NO_REWARD_OVER)]) == rows
    (held,) = Lake(archive.folder.parent).sql("select suite_hash from demo.quarantine").rows()
    assert held == (hash_of(NO_REWARD_OVER),)


def test_a_suite_that_cannot_be_is_told_of_once_and_the_one_before_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    archive = make_archive(tmp_path)
    archive.change_suite(NO_REWARD_OVER)
    stream, topic = make_stream(tmp_path)
    with stream, following(archive, stream) as heard:
        send(stream, topic, step(10))
        heard.await_rows(1)
        archive.change_suite(BAD)
        assert "expect_column_values_to_be_odd" in heard.next("refused")
        send(stream, topic, step(11), step(61))
        heard.await_rows(2)
        torn = archive.folder / "torn.json"
        torn.write_text("{")
        torn.replace(archive.folder / "suite.json")  # at once: an empty file would be another one
        assert "does not read" in heard.next("refused")
        send(stream, topic, step(12), step(62))
        heard.await_rows(2)
        archive.change_suite(LENIENT)
        assert heard.next("changed") == hash_of(LENIENT)
        send(stream, topic, step(63))
        heard.await_rows(1)
        assert heard.events.empty()
    assert landed(archive) == Counter([10.0, 11.0, 12.0, 63.0])
    assert quarantined(archive) == Counter([61.0, 62.0])
    assert sum("is not taken" in record.message for record in caplog.records) == 2


def test_a_watch_tells_of_changes_once_each(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    watch = SuiteWatch(archive)
    assert watch.new_gate() is None
    archive.change_suite(NO_REWARD_OVER)
    gate = watch.new_gate()
    assert gate is not None and gate is watch.gate and gate.suite_hash == hash_of(NO_REWARD_OVER)
    archive.change_suite(NO_REWARD_OVER)  # the same again
    assert watch.new_gate() is None
    archive.change_suite(BAD)
    with pytest.raises(SuiteError, match="there is no such expectation"):
        watch.new_gate()
    assert watch.new_gate() is None and watch.gate is gate
    (archive.folder / "suite.json").write_text("[]")
    with pytest.raises(StorageError, match="not a JSON object"):
        watch.new_gate()
    assert watch.new_gate() is None and watch.gate is gate
    (archive.folder / "suite.json").unlink()
    bare = watch.new_gate()
    assert bare is not None and bare.suite_hash == hash_of(None)


class Change:
    """Give the strict gate when it is asked for the n-th time."""

    def __init__(self, after: int) -> None:
        self._left = after

    def __call__(self) -> Gate | None:
        self._left -= 1
        return Gate(SPEC, Suite.from_dict(NO_REWARD_OVER)) if self._left == 0 else None


def changing(archive: Archive, topic: Topic, after: int, landing: ArchiveLanding | None = None) -> Intake:
    return Intake(topic, landing or ArchiveLanding(archive), Gate(SPEC), new_gate=Change(after))


@pytest.mark.parametrize("after", [1, 3, 7, 19])
@pytest.mark.parametrize("rows", [1, 1000])
def test_what_was_examined_ahead_is_judged_again(tmp_path: Path, after: int, rows: int) -> None:
    """The old suite takes all of these rows and the new one none: so each commit shows who judged it."""
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    numbers = range(100, 120)
    with stream:
        send(stream, topic, *(step(number) for number in numbers))
        drain(stream, changing(archive, topic, after), FlushPolicy(rows=rows), PollPolicy(messages=1))
    first = int(sum(landed(archive).values()))
    assert landed(archive) == Counter(float(number) for number in numbers[:first])
    assert quarantined(archive) == Counter(float(number) for number in numbers[first:])
    assert first < len(numbers)
    new = hash_of(NO_REWARD_OVER)
    assert sum(count for suite, count in commits(archive, "steps") if suite == new) == 0
    assert sum(count for suite, count in commits(archive, "quarantine") if suite != new) == 0


class Crash(Exception):
    """Stand for the end of the process."""


class DyingLanding(ArchiveLanding):
    """Let the process die before its n-th commit."""

    def __init__(self, archive: Archive, at: int) -> None:
        super().__init__(archive)
        self._left = at

    def commit(
        self, table: TableName, rows: pa.Table, moves: Mapping[str, Move], metadata: Mapping[str, str]
    ) -> int:
        self._left -= 1
        if self._left == 0:
            raise Crash
        return super().commit(table, rows, moves, metadata)


@pytest.mark.parametrize("at", range(1, 9))
def test_a_death_at_any_commit_around_the_change_loses_and_doubles_nothing(tmp_path: Path, at: int) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    rewards = [60, 10, 61, 11, 62, 12, 63, 13]
    policies = (FlushPolicy(rows=2), PollPolicy(messages=1))
    with stream:
        send(stream, topic, *(step(reward) for reward in rewards))
        with pytest.raises(Crash):
            drain(stream, changing(archive, topic, 4, DyingLanding(archive, at)), *policies)
        drain(stream, changing(archive, topic, 2), *policies)
    assert landed(archive) + quarantined(archive) == Counter(map(float, rewards))
    assert all(reward > 50 for reward in quarantined(archive))


def test_only_the_archive_whose_suite_has_changed_is_judged_anew(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    specs = [SPEC, ArchiveSpec(**{**dict(SPEC), "name": "other"})]
    one, other = (lake.create(spec.name, spec=spec) for spec in specs)
    stream, topic = make_stream(tmp_path)
    with stream:
        topics = [topic, stream.create_topic(specs[1].topic, 1)]
        for place in topics:
            send(stream, place, *(step(number) for number in range(40, 60)))
        intakes = [changing(one, topics[0], 5), Intake(topics[1], ArchiveLanding(other), Gate(specs[1]))]
        with Worker(stream, intakes, "test", flush=FlushPolicy(rows=3), poll=PollPolicy(messages=1)) as both:
            both.run_to_end()
    every = Counter(float(number) for number in range(40, 60))
    assert landed(one) + quarantined(one) == every and quarantined(one)
    assert landed(other) == every


def test_two_workers_change_suites_while_steps_come(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path, partitions=2)
    rounds, size = 6, 50
    with stream:
        with following(archive, stream, "one") as one, following(archive, stream, "two") as two:
            for number in range(rounds):
                for partition in (0, 1):
                    first = size * (2 * number + partition)
                    records = [step(place, reward=60.0) for place in range(first, first + size)]
                    send(stream, topic, *records, partition=partition)
                suite = (NO_REWARD_OVER, LENIENT)[number % 2]
                archive.change_suite(suite)
                for heard in (one, two):
                    assert heard.next("changed") == hash_of(suite)
        drain(stream, Intake(topic, ArchiveLanding(archive), Gate(SPEC)))
    key = "select step from demo."
    both = Lake(archive.folder.parent).sql(f"{key}steps union all {key}quarantine").rows()
    assert Counter(number for (number,) in both) == Counter(range(rounds * size * 2))


def test_a_seek_passes_by_partitions_that_polling_ahead_has_lost(tmp_path: Path) -> None:
    stream, topic = make_stream(tmp_path, partitions=2)
    every = {Partition(topic.name, number): 0 for number in (0, 1)}
    with stream:
        ahead = Lookahead(
            [topic.name],
            lambda: stream.consumer([topic.name], "test"),
            PollPolicy(wait=0.01),
            lambda *_: pytest.fail("nothing was sent"),
        )
        first = ahead.next()
        assert first.assignment == set(every)
        other = stream.consumer([topic.name], "test")
        while not other.assignment:
            other.poll(1, 1, 0.01)
            ahead.next()
        ahead.seek(every)
        assert ahead.next().assignment < set(every)
        other.close()
        ahead.close()


@pytest.mark.timeout(120)
def test_kill_9_around_a_change_of_the_suite_loses_and_doubles_nothing(tmp_path: Path) -> None:
    archive, stream = make(tmp_path)
    episodes = 20
    chance = random.Random(os.urandom(8))
    with process("publish", archive.folder.parent, f"embedded:{stream}", "a") as publisher:
        with worker(archive, stream) as dying:
            release(publisher, episodes)
            next_commit(dying)
            archive.change_suite(STRICT)
            release(publisher, episodes)
            time.sleep(chance.uniform(0, 1.3))  # the moment of death is random on purpose
            dying.kill()
        finish(publisher)
    land_the_rest(archive, stream)
    check_exactly_once(archive, 1, 2 * episodes)
