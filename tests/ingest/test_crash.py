"""Workers that are killed and frozen at random moments, against the real stream and the real lake."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest import EmbeddedStream
from ingest.streams.embedded_file import LOCK_NAME
from lake import Archive, Lake
from replaylake import ingest_once
from tests.ingest.crash_steps import BROKEN_EVERY, EPISODE, SPEC, STRICT
from tests.ingest.worker_process import SESSION_TIMEOUT

ROOT = Path(__file__).parents[2]


@contextmanager
def process(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run one of the processes of `worker_process`; it is gone when the block ends."""
    command = [sys.executable, "-m", "tests.ingest.worker_process", *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def worker(archive: Archive, stream: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a worker that has begun to ingest."""
    with process("work", archive.folder.parent, f"embedded:{stream}") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        yield running


def next_commit(running: subprocess.Popen[str]) -> None:
    """Return when the worker tells of its next commit."""
    assert running.stdout is not None
    assert running.stdout.readline()


def freeze_between_writes(running: subprocess.Popen[str], stream: Path) -> None:
    """Stop the worker where it does not hold the stream's lock.

    One that is frozen inside a write keeps everybody out until it thaws: that is told to them, and is not
    what this file tests.
    """
    with (stream / LOCK_NAME).open() as lock:
        while True:
            running.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, running.pid, os.WSTOPPED)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                running.send_signal(signal.SIGCONT)
            else:
                return  # closing the file lets go of the lock


def release(publisher: subprocess.Popen[str], episodes: int) -> None:
    """Let a publisher send so many more episodes."""
    assert publisher.stdin is not None
    publisher.stdin.write(f"{episodes}\n")
    publisher.stdin.flush()


def finish(*publishers: subprocess.Popen[str]) -> None:
    """Return when the publishers have sent all that they were let."""
    for publisher in publishers:
        assert publisher.stdin is not None
        publisher.stdin.close()
    assert all(publisher.wait() == 0 for publisher in publishers)


def make(folder: Path) -> tuple[Archive, Path]:
    """Create the archive and its topic of four partitions."""
    archive = Lake(folder / "lake").create("crash", spec=SPEC)
    with EmbeddedStream(folder / "stream") as opened:
        opened.create_topic(SPEC.topic, 4)
    return archive, folder / "stream"


def land_the_rest(archive: Archive, stream: Path) -> None:
    """Ingest to the end, taking over from whoever does not answer any more."""
    with EmbeddedStream(stream, session_timeout=SESSION_TIMEOUT) as opened:
        ingest_once(Lake(archive.folder.parent), stream=opened)


def check_exactly_once(archive: Archive, sources: int, episodes: int) -> None:
    """Every step that was published is in one of the two tables, once; broken ones in quarantine."""
    lake = Lake(archive.folder.parent)
    total = sources * episodes * EPISODE
    key = "source, episode_id, step"
    both = f"select {key} from crash.steps union all select {key} from crash.quarantine"
    counted = lake.sql(f"select count(*), count(distinct ({key})) from ({both})").rows()
    assert counted == [(total, total)]
    broken = lake.sql(f"select count(*) from crash.steps where step % {BROKEN_EVERY} = 0").rows()
    assert broken == [(0,)]


@pytest.mark.timeout(280)
def test_kill_9_twenty_times_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Two publishers send 200,000 steps; workers die 20 times, and the suite changes in between."""
    archive, stream = make(tmp_path)
    rounds, episodes = 20, 10
    chance = random.Random(os.urandom(8))
    lake = archive.folder.parent
    with (
        process("publish", lake, f"embedded:{stream}", "a") as first,
        process("publish", lake, f"embedded:{stream}", "b") as second,
    ):
        for round_ in range(rounds):
            if round_ == rounds // 2:
                archive.change_suite(STRICT)
            with worker(archive, stream) as dying:
                release(first, episodes)
                release(second, episodes)
                for _ in range(chance.randrange(2)):
                    next_commit(dying)
                time.sleep(chance.uniform(0, 0.3))  # the moment of death is random on purpose
                dying.kill()
        finish(first, second)
    land_the_rest(archive, stream)
    check_exactly_once(archive, 2, rounds * episodes)
    refused = Lake(lake).sql("select count(*) from crash.quarantine where reward = 1").rows()[0][0]
    assert refused > 0  # the strict suite has judged, too


@pytest.mark.timeout(120)
def test_a_frozen_worker_that_thaws_doubles_nothing(tmp_path: Path) -> None:
    archive, stream = make(tmp_path)
    lake = archive.folder.parent
    with process("publish", lake, f"embedded:{stream}", "a") as publisher, worker(archive, stream) as frozen:
        release(publisher, 40)
        next_commit(frozen)
        freeze_between_writes(frozen, stream)
        release(publisher, 40)
        archive.change_suite(STRICT)
        land_the_rest(archive, stream)
        frozen.send_signal(signal.SIGCONT)
        release(publisher, 40)
        next_commit(frozen)  # it has noticed, joined again, and works
        finish(publisher)
    land_the_rest(archive, stream)
    check_exactly_once(archive, 1, 120)
