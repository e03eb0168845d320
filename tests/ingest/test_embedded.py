"""The embedded stream among processes, kills, and files that are not well."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from ingest.streams import EmbeddedStream
from schemas.errors import NotFoundError, ReplayLakeError, StreamError
from schemas.protocols import Bounds, Consumer, Message, Partition

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
BATCH = 25
PRODUCE = """
import sys
from pathlib import Path
from ingest.streams import EmbeddedStream
folder, name, flushes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with EmbeddedStream(folder) as stream:
    stream.create_topic("t", 2)
    producer = stream.producer()
    for flush in range(flushes):
        for i in range(25):
            producer.send("t", b"%s %d" % (name.encode(), flush * 25 + i), key=name.encode())
        producer.flush()
        print(flush + 1, flush=True)
    producer.close()
"""
CONSUME = """
import sys
from pathlib import Path
from ingest.streams import EmbeddedStream
with EmbeddedStream(Path(sys.argv[1]), session_timeout=0.3) as stream:
    consumer = stream.consumer(["t"], "g")
    generation = 0
    while True:
        consumer.poll(1, 1, 0.05)
        if consumer.generation != generation:
            generation = consumer.generation
            print(generation, len(consumer.assignment), flush=True)
"""
FILL = """
import resource, sys
from pathlib import Path
from ingest.streams import EmbeddedStream
from schemas.errors import StreamError
with EmbeddedStream(Path(sys.argv[1])) as stream:
    stream.create_topic("t", 1)
    producer = stream.producer()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    done = 0
    try:
        while done < 1000:
            for _ in range(10):
                producer.send("t", bytes(10_000))
            producer.flush()
            done += 10
    except StreamError as exc:
        print(done, exc, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    producer.close()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def line_of(process: subprocess.Popen[str]) -> str:
    stdout: IO[str] | None = process.stdout
    assert stdout is not None
    return stdout.readline()


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=PATIENCE)
    return output


def everything(stream: EmbeddedStream) -> list[Message]:
    consumer = stream.consumer(["t"], f"reader {time.monotonic_ns()}")
    consumer.poll(1, 1, 0)
    for partition in consumer.assignment:
        consumer.seek(partition, stream.bounds(partition).earliest)
    messages: list[Message] = []
    while batch := consumer.poll(10_000, 1 << 24, 0):
        messages += batch
    consumer.close()
    return messages


def until(reached: Callable[[], bool]) -> None:
    """Call again and again; what is called waits for events by itself."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline


def has(consumer: Consumer, partitions: int) -> bool:
    consumer.poll(1, 1, 0.02)
    return len(consumer.assignment) == partitions


def test_processes_that_produce_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    producers = [start(PRODUCE, tmp_path, name, 20) for name in names]
    for producer in producers:
        finish(producer)
        assert producer.returncode == 0
    with EmbeddedStream(tmp_path, create=False) as stream:
        messages = everything(stream)
    assert len(messages) == 3 * 20 * BATCH
    for name in names:
        mine = [message for message in messages if message.key == name.encode()]
        assert [message.value for message in mine] == [f"{name} {i}".encode() for i in range(20 * BATCH)]
        assert len({message.partition for message in mine}) == 1
    for number in (0, 1):
        offsets = [message.offset for message in messages if message.partition == number]
        assert offsets == list(range(len(offsets)))


def test_a_killed_producer_leaves_what_it_flushed_in_whole_transactions(tmp_path: Path) -> None:
    steady = start(PRODUCE, tmp_path, "steady", 60)
    for life in range(3):
        killed = start(PRODUCE, tmp_path, f"killed {life}", 100_000)
        for _ in range(5):
            acknowledged = int(line_of(killed))
        killed.kill()
        rest = finish(killed).split()
        acknowledged = int(rest[-1]) if rest else acknowledged
        with EmbeddedStream(tmp_path, create=False) as stream:
            key = f"killed {life}".encode()
            values = [message.value for message in everything(stream) if message.key == key]
        assert len(values) % BATCH == 0
        assert acknowledged <= len(values) // BATCH <= acknowledged + 1
        assert values == [b"%s %d" % (key, i) for i in range(len(values))]
    finish(steady)
    assert steady.returncode == 0
    with EmbeddedStream(tmp_path) as stream:
        counts = Counter(message.key for message in everything(stream))
        assert counts[b"steady"] == 60 * BATCH
        producer = stream.producer()
        producer.send("t", b"goes on", partition=0)
        producer.close()
    check = sqlite3.connect(tmp_path / "stream.sqlite")
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()


def test_a_frozen_process_is_expelled_and_rejoins_when_it_thaws(tmp_path: Path) -> None:
    with EmbeddedStream(tmp_path, session_timeout=0.3) as stream:
        stream.create_topic("t", 2)
        frozen = start(CONSUME, tmp_path)
        try:
            assert line_of(frozen).split()[1] == "2"
            consumer = stream.consumer(["t"], "g")
            generation, share = map(int, line_of(frozen).split())
            assert share == 1
            until(lambda: has(consumer, 1))
            os.kill(frozen.pid, signal.SIGSTOP)
            until(lambda: has(consumer, 2))
            os.kill(frozen.pid, signal.SIGCONT)
            again, share = map(int, line_of(frozen).split())
            assert again > generation
            assert share == 1
            until(lambda: has(consumer, 1))
            frozen.kill()
            until(lambda: has(consumer, 2))
            consumer.close()
        finally:
            frozen.kill()
            finish(frozen)


def test_a_full_disk_is_told_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    process = start(FILL, tmp_path)
    done, _, said = finish(process).partition(" ")
    assert process.returncode == 0
    assert "disk" in said
    assert "try again" in said
    with EmbeddedStream(tmp_path, create=False) as stream:
        assert 0 < int(done) < 1000
        assert len(everything(stream)) == int(done) + 10  # the refused buffer came at close, once


def test_the_log_beside_the_file_stays_bounded_and_trimmed_room_is_used_again(tmp_path: Path) -> None:
    with EmbeddedStream(tmp_path) as stream:
        stream.create_topic("t", 1)
        partition = Partition("t", 0)
        producer = stream.producer()
        sizes = []
        for _ in range(12):
            for _ in range(8):
                producer.send("t", bytes(1 << 20))
            producer.flush()
            assert (tmp_path / "stream.sqlite-wal").stat().st_size < 64 << 20
            stream.trim(partition, stream.bounds(partition).end - 4)
            sizes.append((tmp_path / "stream.sqlite").stat().st_size)
        producer.close()
        assert max(sizes) < 64 << 20
        assert stream.bounds(partition) == Bounds(92, 96)
        assert len(everything(stream)) == 4


def test_a_folder_without_a_stream_is_left_alone(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(NotFoundError, match=r"no stream .*stream\.sqlite"):
            EmbeddedStream(folder, create=False)
    assert not list(tmp_path.iterdir())


def refused(folder: Path) -> ReplayLakeError:
    with pytest.raises(StreamError) as caught:
        EmbeddedStream(folder)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return caught.value


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file")
    refused(tmp_path / "file" / "below")
    (tmp_path / "taken" / "stream.sqlite").mkdir(parents=True)
    refused(tmp_path / "taken")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    refused(tmp_path)
    tmp_path.chmod(0o700)


def test_a_file_that_is_no_database_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "stream.sqlite"
    file.write_bytes(b"no database at all " * 1000)
    assert "not a SQLite database" in refused(tmp_path).message
    assert file.read_bytes() == b"no database at all " * 1000


def test_a_database_of_something_else_is_kept(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "stream.sqlite")
    other.execute("CREATE TABLE topics (mine TEXT)")
    other.close()
    assert "something else" in refused(tmp_path).message


def test_a_format_of_the_future_is_refused(tmp_path: Path) -> None:
    EmbeddedStream(tmp_path).close()
    file = sqlite3.connect(tmp_path / "stream.sqlite")
    file.execute("PRAGMA user_version = 99")
    file.close()
    assert "format 99" in refused(tmp_path).message


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    with EmbeddedStream(tmp_path) as stream:
        stream.create_topic("t", 1)
        producer = stream.producer()
        for _ in range(5):
            producer.send("t", os.urandom(200_000))
        producer.close()
    file = tmp_path / "stream.sqlite"
    content = bytearray(file.read_bytes())
    content[16384:] = b"\xaa" * (len(content) - 16384)  # the first page stands
    file.write_bytes(content)
    with EmbeddedStream(tmp_path) as stream, pytest.raises(StreamError, match="damaged"):
        stream.topic("t")


def test_a_lock_that_is_held_is_told_and_the_buffer_kept(tmp_path: Path) -> None:
    with EmbeddedStream(tmp_path, busy_timeout=0.05) as stream:
        stream.create_topic("t", 1)
        producer = stream.producer()
        producer.send("t", b"x")

        other = sqlite3.connect(tmp_path / "stream.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StreamError, match="locked by another process"):
            producer.flush()
        other.rollback()
        other.close()

        with (tmp_path / "stream.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(StreamError, match="locked by another process"):
                producer.flush()
            assert stream.topic("t").partitions == 1  # readers need no lock
        producer.close()
        assert [message.value for message in everything(stream)] == [b"x"]


def test_a_full_buffer_is_written_by_itself(tmp_path: Path) -> None:
    with EmbeddedStream(tmp_path) as stream:
        stream.create_topic("t", 1)
        producer = stream.producer()
        for _ in range(40):
            producer.send("t", bytes(1 << 20))
        assert stream.bounds(Partition("t", 0)).end == 32
        producer.close()


def test_a_closed_stream_says_so(tmp_path: Path) -> None:
    stream = EmbeddedStream(tmp_path)
    stream.close()
    with pytest.raises(StreamError, match="closed"):
        stream.topic("t")
