"""Parquet files, a row group after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.records import Records
from ingest.sources.byte_stream import opened
from ingest.sources.ids import record_ids
from ingest.sources.places import Batch, Place, ReadLimits
from ingest.sources.plain_values import content_of
from schemas.errors import DataError

_BLOCK = 1 << 20


class ParquetReader:
    """Read a file of Parquet (see reading.Reader).

    Such a file is written once: all of its bytes name it, and a place in it is a row group.
    """

    def __init__(self, path: str, limits: ReadLimits) -> None:
        """Open the file; raise DataError where it is no Parquet."""
        self._path = path
        self._limits = limits
        self._mark = _hash_of(path)
        self._start = Place(mark=self._mark)
        with _translated(path):
            self._file = pq.ParquetFile(path)
        self.fingerprint: str | None = self._mark

    def resume(self, place: Place) -> bool:
        """Go on at a place of an earlier reading; False where this is another file."""
        if place.mark != self._mark or place.offset > self._file.num_row_groups:
            return False
        self._start = place
        return True

    def batches(self, file: str) -> Iterator[Batch[Records]]:
        """Iterate over the rows; their ids name the file so."""
        reached = self._start
        number = reached.record
        for group in range(reached.offset, self._file.num_row_groups):
            with _translated(self._path):
                end = number + self._file.metadata.row_group(group).num_rows
                for table in self._file.iter_batches(self._limits.rows, row_groups=[group]):
                    frame = pl.DataFrame(pa.table(table))
                    numbers = np.arange(number, number + len(frame))
                    number += len(frame)
                    if number == end:
                        reached = Place(group + 1, number, self._mark)
                    yield Batch(_records(frame, file, numbers), reached)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _records(frame: pl.DataFrame, file: str, numbers: np.ndarray[Any, np.dtype[np.int64]]) -> Records:
    return Records(
        fields=frame,
        # What a row holds is told by the file's name already, which is a hash of all that it holds.
        ids=record_ids(file, numbers, np.zeros(len(frame), np.uint32)),
        raw=lambda index: content_of(frame.row(index, named=True)),
    )


def _hash_of(path: str) -> str:
    hashed = hashlib.blake2b(digest_size=6)
    with opened(path) as file:
        while block := file.read(_BLOCK):
            hashed.update(block)
    return hashed.hexdigest()


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as exc:
        problem = str(exc).split("\n", 1)[0].rstrip(".")
        raise DataError(
            f"{path!r} does not read as Parquet: {problem}.", hint="Write the file again."
        ) from exc
