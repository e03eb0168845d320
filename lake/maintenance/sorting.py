"""Sort more rows than fit in memory: in runs on the local disk, which are then read by ranges of the key."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.errors import StorageError

_SAMPLES = 16  # of each run, for each range: so unequal may ranges be
_CHUNK = 1 << 16  # rows
Key = tuple[tuple[bool, Any], ...]


def sorted_tables(
    tables: Iterable[pa.Table], order: Sequence[str], run_bytes: int, spill: Path
) -> Iterator[pa.Table]:
    """Yield the rows of tables by `order`, nulls first, in tables of about `run_bytes` or less.

    Columns of `order` that the tables lack do not count: those of their partition. Memory holds a few times
    `run_bytes`. What is longer is written to the folder `spill` once, and removed when all is read.
    """
    runs = _Runs(order, spill)
    held: list[pa.Table] = []
    size = 0
    for table in tables:
        held.append(table)
        size += table.nbytes
        if size >= run_bytes:
            runs.add(sort_rows(pa.concat_tables(held), order))
            held, size = [], 0
    if not runs.count:
        if held:
            yield sort_rows(pa.concat_tables(held), order)
        return
    if held:
        runs.add(sort_rows(pa.concat_tables(held), order))
    held.clear()
    yield from runs.ranges(run_bytes)


def sort_rows(rows: pa.Table, order: Sequence[str]) -> pa.Table:
    """Return rows by `order`, nulls first; equal ones keep their order."""
    by = [name for name in order if name in rows.column_names]
    keys = pl.DataFrame(rows.select(by)).with_row_index("#place")
    places = keys.sort(by, nulls_last=False, maintain_order=True)["#place"]
    return rows.combine_chunks().take(places.to_arrow())


class _Runs:
    """Hold sorted runs in files of a folder."""

    def __init__(self, order: Sequence[str], folder: Path) -> None:
        self._order = list(order)
        self._folder = folder
        self._files: list[Path] = []
        self._size = 0

    @property
    def count(self) -> int:
        return len(self._files)

    def add(self, rows: pa.Table) -> None:
        file = self._folder / f"run-{len(self._files)}.arrow"
        self._files.append(file)
        try:
            with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
                writer.write_table(rows, max_chunksize=_CHUNK)
        except OSError as exc:
            raise StorageError(
                f"Sorting on the disk failed: {exc}.",
                hint="Check that the folder for temporary files (TMPDIR) has room.",
            ) from exc
        self._size += rows.nbytes

    def ranges(self, range_bytes: int) -> Iterator[pa.Table]:
        """Yield all rows in order, range by range: of each run a range is one piece."""
        runs = [pa.ipc.open_file(pa.memory_map(str(file))).read_all() for file in self._files]
        try:
            starts = [0] * len(runs)
            for cut in [*self._cuts(runs, range_bytes), None]:
                ends = [run.num_rows if cut is None else self._place(run, cut) for run in runs]
                pieces = [
                    run.slice(start, end - start) for run, start, end in zip(runs, starts, ends, strict=True)
                ]
                starts = ends
                rows = pa.concat_tables(pieces)
                if rows.num_rows:
                    yield sort_rows(rows, self._order)
        finally:
            runs.clear()
            for file in self._files:
                file.unlink(missing_ok=True)

    def _cuts(self, runs: Sequence[pa.Table], range_bytes: int) -> list[Key]:
        """Return the keys at which ranges of about equal length begin, without the first."""
        count = -(-self._size // range_bytes)
        every = max(1, sum(run.num_rows for run in runs) // (count * len(runs) * _SAMPLES))
        samples = sorted(self._key(run, place) for run in runs for place in range(0, run.num_rows, every))
        return [samples[len(samples) * number // count] for number in range(1, count)]

    def _place(self, run: pa.Table, cut: Key) -> int:
        return bisect_left(range(run.num_rows), cut, key=lambda place: self._key(run, place))

    def _key(self, run: pa.Table, place: int) -> Key:
        values = (run[name][place].as_py() for name in self._order if name in run.column_names)
        return tuple((value is not None, value) for value in values)
