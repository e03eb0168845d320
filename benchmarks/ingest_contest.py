"""The worker beside a bare writer: the same rows, commits of the same size, a fresh table each time."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from ingest import EmbeddedStream, FlushPolicy
from lake import Lake
from replaylake import ingest_once
from schemas.protocols import Stream
from schemas.steps import Steps

from .cartpole_steps import SPEC, make_steps

COMMIT_ROWS = 250_000


class IngestContest:
    """Time the worker from a stream that holds the messages, and a bare writer of the same rows."""

    def __init__(
        self,
        folder: Path,
        rows: int,
        chunks: Callable[[], Iterable[pa.Table]],
        stream: Callable[[], Stream] | None = None,
    ) -> None:
        self._folder = folder
        self._rows = rows
        self._chunks = chunks
        self._stream = stream or (lambda: EmbeddedStream(folder / "stream"))

    def ours(self) -> float:
        """Return the rows per second of `ingest_once` into a fresh archive."""
        with _fresh(self._folder) as fresh, self._stream() as stream:
            lake = Lake(fresh)
            lake.create(SPEC.name, spec=SPEC)
            started = time.perf_counter()
            report = ingest_once(lake, stream=stream, flush=FlushPolicy(COMMIT_ROWS, 1 << 30, 3600))
            spent = time.perf_counter() - started
        if report.accepted != self._rows:
            raise RuntimeError(f"{report.accepted} of {self._rows} rows were accepted: {report}")
        return self._rows / spent

    def other(self) -> float:
        """Return the rows per second of the bare loop."""
        with _fresh(self._folder) as fresh:
            started = time.perf_counter()
            for chunk in self._chunks():
                write_deltalake(fresh / "bare", chunk, mode="append", partition_by=["date"])
            return self._rows / (time.perf_counter() - started)


def write_messages(folder: Path, rows: int, encode: Callable[[Steps], list[bytes]]) -> None:
    """Put rows on the embedded stream under the folder, as messages of the given form."""
    with EmbeddedStream(folder / "stream") as stream:
        topic = stream.create_topic(SPEC.topic)
        producer = stream.producer()
        for first in range(0, rows, COMMIT_ROWS):
            steps = Steps(make_steps(min(COMMIT_ROWS, rows - first), first), SPEC)
            for number, value in enumerate(encode(steps)):
                producer.send(topic.name, value, partition=number % topic.partitions)
            producer.flush()
        producer.close()


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    path = folder / uuid.uuid4().hex
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
