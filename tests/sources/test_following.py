"""Following: growing files, half lines, rotations, and files that come later."""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest import FilePublisher, Ledger, MemoryStream, PublishReport, follow_files
from schemas.errors import NotFoundError, UsageError
from tests.sources.doors import SPEC, csv_of, gains, mapping, numbers, record


class Follower:
    """Follow in a thread; each turn can be awaited."""

    def __init__(self, stream: MemoryStream, ledger: Path, *paths: Path) -> None:
        self._stop = threading.Event()
        self._turned = threading.Condition()
        self._turns = 0
        self.failure: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, args=(stream, ledger, [str(path) for path in paths])
        )
        self._thread.start()
        self.turn(1)

    def _run(self, stream: MemoryStream, ledger: Path, paths: list[str]) -> None:
        topic = stream.create_topic(SPEC.topic, 2)
        kept = Ledger(ledger, topic.id)
        try:
            with FilePublisher(stream, topic, SPEC, kept, mapping=mapping()) as publisher:
                follow_files(publisher, paths, self._stop, interval=0.001, on_turn=self._hear)
        except BaseException as exc:
            self.failure = exc
            with self._turned:
                self._turned.notify_all()

    def _hear(self, report: PublishReport) -> None:
        with self._turned:
            self._turns += 1
            self._turned.notify_all()

    def turn(self, count: int = 3) -> None:
        """Return when it has looked anew: a turn may have begun before, and what is whole waits for one."""
        with self._turned:
            wanted = self._turns + count
            assert self._turned.wait_for(lambda: self._turns >= wanted or self.failure, 60)

    def stop(self) -> None:
        """Stop in good order."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure


Start = Callable[..., Follower]


@pytest.fixture
def stream() -> MemoryStream:
    return MemoryStream()


@pytest.fixture
def start(stream: MemoryStream, tmp_path: Path) -> Iterator[Start]:
    started: list[Follower] = []

    def begin(*paths: Path) -> Follower:
        started.append(Follower(stream, tmp_path / "ledger", *paths))
        return started[-1]

    yield begin
    for follower in started:
        follower.stop()


def rows(first: int, count: int) -> bytes:
    return csv_of(count, first).partition(b"\n")[2]


def lines(first: int, count: int) -> bytes:
    return b"".join(json.dumps(record(n)).encode() + b"\n" for n in range(first, first + count))


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_a_line_is_read_once_it_has_its_newline(stream: MemoryStream, start: Start, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_of(1)[:10])
    follower = start(path)
    assert gains(stream) == []
    append(path, csv_of(1)[10:] + rows(1, 2) + rows(3, 1)[:-1])
    follower.turn()
    assert gains(stream) == numbers(3)
    append(path, b"\n" + rows(4, 1)[:12])
    follower.turn()
    assert gains(stream) == numbers(4)
    append(path, rows(4, 1)[12:])
    follower.turn()
    assert gains(stream) == numbers(5)


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_file_that_is_renamed_is_read_to_its_end(
    stream: MemoryStream, start: Start, tmp_path: Path, form: str
) -> None:
    path, more = tmp_path / f"a.{form}", rows if form == "csv" else lines
    path.write_bytes(csv_of(10) if form == "csv" else lines(0, 10))
    follower = start(path)
    with path.open("ab") as writer:
        writer.write(more(10, 5))
        writer.flush()
        path.rename(tmp_path / f"a.{form}.1")
        follower.turn()
        writer.write(more(15, 5)[:-1])  # its writer has not noticed yet
    path.write_bytes(csv_of(10, 20) if form == "csv" else lines(20, 10))
    follower.turn()
    assert gains(stream) == numbers(30)
    append(path, more(30, 1))
    follower.turn()
    assert gains(stream) == numbers(31)


@pytest.mark.parametrize("ending", [".1", "-20260101", ".1.gz"])
def test_a_copy_is_read_to_its_end_where_the_file_is_truncated(
    stream: MemoryStream, start: Start, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_of(10))
    follower = start(path)
    follower.turn()
    whole = csv_of(10) + rows(10, 5)
    copy = tmp_path / f"a.csv{ending}"
    copy.write_bytes(gzip.compress(whole) if ending.endswith("gz") else whole)
    path.write_bytes(b"")
    follower.turn()
    append(path, csv_of(20, 15))
    follower.turn()
    assert gains(stream) == numbers(35)


def test_a_folder_is_followed_with_what_comes_into_it(
    stream: MemoryStream, start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    follower = start(folder)
    (folder / "a.csv").write_bytes(csv_of(10))
    (folder / ".hidden.csv").write_bytes(csv_of(10, 90))
    (folder / "notes.txt").write_bytes(b"nothing")
    follower.turn()
    assert gains(stream) == numbers(10)
    (folder / "b.ndjson.gz").write_bytes(gzip.compress(lines(10, 5)))
    (folder / "sub").mkdir()
    (folder / "sub" / "c.csv").write_bytes(csv_of(5, 15))
    append(folder / "a.csv", rows(20, 5))
    follower.turn()
    assert gains(stream) == numbers(25)
    # Rotated within the folder: the same file under another name, and a new one.
    (folder / "a.csv").rename(folder / "a.old.csv")
    append(folder / "a.old.csv", rows(25, 5))
    (folder / "a.csv").write_bytes(csv_of(5, 30))
    follower.turn()
    assert gains(stream) == numbers(35)


def test_a_file_that_comes_in_pieces_is_read_when_it_is_whole(
    stream: MemoryStream, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    packed = gzip.compress(csv_of(2000))
    (folder / "a.csv.gz").write_bytes(packed[:-100])
    with caplog.at_level(logging.WARNING, "replaylake.sources"):
        follower = start(folder)
        follower.turn()
        assert "breaks off" in caplog.text
        append(folder / "a.csv.gz", packed[-100:])
        follower.turn()
    assert gains(stream) == numbers(2000)


def test_stopped_and_started_again_it_goes_on(stream: MemoryStream, start: Start, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_of(10))
    start(path).stop()
    append(path, rows(10, 10))
    follower = start(path)
    follower.turn()
    assert gains(stream) == numbers(20)


def test_a_name_that_nobody_can_tell_is_left_out_later_and_refused_at_first(
    stream: MemoryStream, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd, late = tmp_path / "odd.log", tmp_path / "late.log"
    odd.write_bytes(b"hello\n")
    with pytest.raises(UsageError, match="hello"):
        start(odd).stop()
    late.write_bytes(b"")
    with caplog.at_level(logging.WARNING, "replaylake.sources"):
        follower = start(late)
        append(late, b"hello\n")
        follower.turn()
    assert caplog.text.count("left out") == 1
    with pytest.raises(NotFoundError):
        start(tmp_path / "gone.csv").stop()
    shutil.rmtree(tmp_path / "ledger", ignore_errors=True)
    os.remove(late)
    follower.turn()
