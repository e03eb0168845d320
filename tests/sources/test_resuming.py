"""Resuming: wherever a run ends, the next one goes on, and the archive is that of one undisturbed run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import EmbeddedStream, MemoryStream
from ingest.sources.ledger import Ledger
from ingest.sources.places import Place, ReadLimits
from schemas.errors import StorageError, StreamError
from schemas.protocols import Headers, Producer
from tests.sources.doors import COLUMNS, csv_of, faults, gains, landing, mapping, numbers, publish, record

CRASHES = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
COUNT = 150


class FragileStream(MemoryStream):
    """A stream whose producers fail after so many calls; what was flushed before is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.calls_left = 10**9

    def producer(self) -> Any:
        """Open a producer that may fail."""
        return FragileProducer(super().producer(), self)


class FragileProducer:
    """Fail as a stream does that goes away."""

    def __init__(self, producer: Producer, stream: FragileStream) -> None:
        self._producer = producer
        self._stream = stream

    def _count(self) -> None:
        if self._stream.calls_left == 0:
            raise StreamError("The stream has gone.")
        self._stream.calls_left -= 1

    def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Send, or fail."""
        self._count()
        self._producer.send(topic, value, key=key, headers=headers, partition=partition)

    def flush(self) -> None:
        """Flush, or fail before or after that."""
        self._count()
        self._producer.flush()
        self._count()

    def close(self) -> None:
        """Lose what was not flushed."""


def write(folder: Path, form: str) -> Path:
    path = folder / f"a.{form}"
    rows = [record(number) for number in range(COUNT)]
    if form == "csv":
        path.write_bytes(csv_of(COUNT) + b"u1,bad\n")
    elif form == "ndjson":
        path.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows) + b"bad\n")
    elif form == "json":
        path.write_text(json.dumps([*rows, 7]))
    else:
        pl.DataFrame(rows).write_parquet(path, row_group_size=17)
    return path


@contextmanager
def eager_flushes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Flush after every batch, so that there are many places to die at."""
    with monkeypatch.context() as patched:
        patched.setattr("ingest.sources.sending._FLUSH_SECONDS", 0.0)
        yield


@CRASHES
@given(
    form=st.sampled_from(["csv", "ndjson", "json", "parquet"]),
    crashes=st.lists(st.integers(0, 40), max_size=6),
    chunk=st.integers(500, 5000),
)
def test_a_run_that_dies_anywhere_is_gone_on_with(
    monkeypatch: pytest.MonkeyPatch, form: str, crashes: list[int], chunk: int
) -> None:
    stream = FragileStream()
    limits = ReadLimits(chunk=chunk, rows=30)
    with tempfile.TemporaryDirectory() as folder, eager_flushes(monkeypatch):
        path, ledger = write(Path(folder), form), Path(folder) / "ledger"
        for calls in crashes:
            stream.calls_left = calls
            try:
                publish(stream, path, mapped=mapping(), ledger=ledger, limits=limits)
            except StreamError:
                continue
        stream.calls_left = 10**9
        publish(stream, path, mapped=mapping(), ledger=ledger, limits=limits)
        last = publish(stream, path, mapped=mapping(), ledger=ledger, limits=limits)
    assert (last.records, last.already) == (0, [str(path)])
    assert gains(stream) == numbers(COUNT)
    assert len(faults(stream)) == (form != "parquet")


def test_progress_is_kept_while_a_run_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, path = FragileStream(), write(tmp_path, "csv")
    limits = ReadLimits(chunk=1000)
    with eager_flushes(monkeypatch):
        stream.calls_left = 20
        with pytest.raises(StreamError):
            publish(stream, path, mapped=mapping(), ledger=tmp_path / "ledger", limits=limits)
        stream.calls_left = 10**9
        sent = len(gains(stream))
        rest = publish(stream, path, mapped=mapping(), ledger=tmp_path / "ledger", limits=limits)
    assert 0 < sent < COUNT
    assert COUNT + 1 - sent <= rest.records < COUNT + 1


def test_a_file_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    stream, ledger = MemoryStream(), tmp_path / "ledger"
    path = write(tmp_path, "csv")
    assert publish(stream, path, mapped=mapping(), ledger=ledger).records == COUNT + 1
    renamed = path.rename(tmp_path / "b.csv")
    assert publish(stream, renamed, mapped=mapping(), ledger=ledger).already == [str(renamed)]
    with renamed.open("ab") as file:
        file.write(csv_of(3, COUNT).partition(b"\n")[2])
    assert publish(stream, renamed, mapped=mapping(), ledger=ledger).records == 3
    assert gains(stream) == numbers(COUNT + 3)


def test_a_file_that_was_truncated_or_replaced_is_a_new_one(tmp_path: Path) -> None:
    stream, ledger, path = MemoryStream(), tmp_path / "ledger", tmp_path / "a.csv"
    head, first, second = csv_of(1), csv_of(50, 1), csv_of(80, 100)
    path.write_bytes(head + first.partition(b"\n")[2])
    assert publish(stream, path, mapped=mapping(), ledger=ledger).records == 51
    path.write_bytes(head + second.partition(b"\n")[2])  # longer, and begins with the same record
    assert publish(stream, path, mapped=mapping(), ledger=ledger).records == 81
    path.write_bytes(head)
    assert publish(stream, path, mapped=mapping(), ledger=ledger).records == 1
    path.write_bytes(csv_of(10, 500))
    assert publish(stream, path, mapped=mapping(), ledger=ledger).records == 10
    assert gains(stream) == sorted([*range(51), *range(100, 180), *range(500, 510)])


def test_a_last_line_that_was_half_is_read_again_when_it_is_whole(tmp_path: Path) -> None:
    stream, ledger, path = MemoryStream(), tmp_path / "ledger", tmp_path / "a.csv"
    content = csv_of(10)
    path.write_bytes(content[:-15])
    publish(stream, path, mapped=mapping(), ledger=ledger)
    assert gains(stream) == numbers(9) and len(faults(stream)) == 1
    assert publish(stream, path, mapped=mapping(), ledger=ledger).already == [str(path)]
    path.write_bytes(content)
    assert publish(stream, path, mapped=mapping(), ledger=ledger).records == 1
    path.write_bytes(content + b"\n")
    assert publish(stream, path, mapped=mapping(), ledger=ledger).records == 0
    assert gains(stream) == numbers(10)


def test_a_last_line_whose_newline_comes_later_is_not_read_again(tmp_path: Path) -> None:
    stream, ledger, path = MemoryStream(), tmp_path / "ledger", tmp_path / "a.csv"
    content = csv_of(10)
    path.write_bytes(content[:-1])
    assert publish(stream, path, mapped=mapping(), ledger=ledger).records == 10
    path.write_bytes(content + csv_of(2, 10).partition(b"\n")[2])
    assert publish(stream, path, mapped=mapping(), ledger=ledger).records == 2
    assert gains(stream) == numbers(12)


def test_rows_without_a_time_have_the_same_one_when_they_are_sent_again(tmp_path: Path) -> None:
    stream, ledger, path = MemoryStream(), tmp_path / "ledger", write(tmp_path, "csv")
    untimed = {name: form for name, form in COLUMNS.items() if name != "event_time"}
    made = type(mapping()).from_dict({"columns": untimed})
    for again in (False, True, True):
        publish(stream, path, mapped=made, ledger=ledger, again=again)
    assert len(landing(stream)) == COUNT  # which compares the times, too


def test_files_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    stream, ledger = MemoryStream(), tmp_path / "ledger"
    paths = [tmp_path / f"{number}.csv" for number in range(8)]
    for number, path in enumerate(paths):
        path.write_bytes(csv_of(1) + csv_of(20, 1 + 20 * number).partition(b"\n")[2])
    for path in paths:
        assert publish(stream, path, mapped=mapping(), ledger=ledger).records == 21
    for path in reversed(paths):
        assert publish(stream, path, mapped=mapping(), ledger=ledger).already == [str(path)]
    assert gains(stream) == numbers(161)


def test_a_torn_ledger_is_told(tmp_path: Path) -> None:
    stream, ledger, path = MemoryStream(), tmp_path / "ledger", write(tmp_path, "csv")
    publish(stream, path, mapped=mapping(), ledger=ledger)
    [entry] = ledger.iterdir()
    entry.write_text("{")
    with pytest.raises(StorageError, match="Remove it"):
        publish(stream, path, mapped=mapping(), ledger=ledger)
    ledger.joinpath("file").write_text("")
    with pytest.raises(StorageError, match="Cannot write"):
        made = Ledger(ledger / "file", "target")
        made.save(made.add("abc", "a.csv"))


def test_a_place_is_kept_as_it_was(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "target")
    known = ledger.add("abc", "a.csv")
    known.place = Place(7, 3, "mark", 2)
    ledger.save(known)
    [found] = Ledger(tmp_path, "target").find("abc")
    assert (found.place, found.since, found.path) == (known.place, known.since, "a.csv")
    assert Ledger(tmp_path, "another").find("abc") == []


@pytest.mark.timeout(120)
def test_kill_9_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """A real process dies at random moments, and another one goes on."""
    path, count = tmp_path / "a.csv", 60_000
    path.write_bytes(csv_of(count))
    chance = random.Random(os.urandom(8))
    command = [sys.executable, "-m", "tests.sources.publisher_process", str(tmp_path)]
    for _ in range(2):
        with subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 12)):
                if not process.stdout.readline():
                    break
            process.send_signal(signal.SIGKILL)
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "done"
    with EmbeddedStream(tmp_path / "stream") as stream:
        assert gains(stream) == numbers(count)
