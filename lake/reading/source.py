"""What the reader needs of a snapshot: its Parquet files, by row group, wherever they are kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lake.cold import StepsTables
from lake.parquet import partition_values
from lake.reading.projection import Leaf
from lake.reading.source_file import SourceFile
from lake.snapshots import Snapshot
from lake.stores.local import LocalStore
from lake.views import quoted, unreadable
from schemas.errors import StorageError
from schemas.step import steps_schema

_COPIED_BYTES = 32 << 20
_LEAST_ROWS, _MOST_ROWS = 1 << 9, 1 << 17
_KEY_ROWS = 1 << 16
_COPY = "rows.parquet"


@dataclass(frozen=True, slots=True)
class Unit:
    """Name a row group: what is read, and put in order, by itself."""

    file: SourceFile
    group: int
    rows: int

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Iterate over columns of the row group, so many rows at a time."""
        return self.file.batches(self.group, columns, rows)

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return columns of the row group whole."""
        return (
            pa.Table.from_batches(list(self.batches(columns, _KEY_ROWS)))
            .unify_dictionaries()
            .combine_chunks()
        )

    def plain(self, leaf: Leaf) -> Iterator[NDArray[Any]]:
        """Iterate over an array's values, flat; raise NotPlainError where Arrow is needed."""
        return self.file.plain(self.group, leaf)

    def nulls(self, column: str) -> int | None:
        """Return how many rows have no value, where the footer knows it is all or none."""
        return self.file.nulls(self.group, column)


@contextmanager
def open_units(
    snapshot: Snapshot, columns: Sequence[str], width: int, scratch: Path | None
) -> Iterator[list[Unit]]:
    """Give the row groups that hold a snapshot's rows, and no others, in the order of its files.

    Where a condition chooses the rows, those are copied first: `columns` are what will be read of them, and
    `width` says of how many bytes a row is. Pages are compared with their checksums before.
    """
    table = StepsTables(snapshot.archive)
    schema, partition_by = steps_schema(snapshot.spec), table.partition_by
    files = [
        SourceFile(*table.place(name), partition_values(name, partition_by), schema)
        for name in snapshot.files
    ]
    if snapshot.is_whole:
        yield _units(files)
        return
    named = [name for name in schema.names if name.lower() in snapshot.condition.lower()]
    for file in files:
        file.check({*columns, *named})  # the database does not
    with tempfile.TemporaryDirectory(prefix="replaylake-rows-", dir=scratch) as folder:
        rows = max(_LEAST_ROWS, min(_MOST_ROWS, _COPIED_BYTES // width))
        _copy_chosen(snapshot, columns, rows, Path(folder, _COPY))
        store = LocalStore(Path(folder), Path(folder))
        yield _units([SourceFile(store, _COPY, {}, schema)])


def _units(files: Sequence[SourceFile]) -> list[Unit]:
    return [
        Unit(file, group, file.metadata.row_group(group).num_rows)
        for file in files
        for group in range(file.metadata.num_row_groups)
        if file.metadata.row_group(group).num_rows
    ]


def _copy_chosen(snapshot: Snapshot, columns: Sequence[str], rows: int, path: Path) -> None:
    """Write the rows that the condition chooses as one file, so many to a row group."""
    chosen = ", ".join(map(quoted, columns))
    query = f"select {chosen} from snapshot.steps where {snapshot.condition}"
    with snapshot.connect() as connection:
        try:
            reader = connection.sql(query).to_arrow_reader(rows)
            with pq.ParquetWriter(path, reader.schema, compression="lz4") as writer:
                for batch in reader:
                    writer.write_batch(batch, row_group_size=rows)
        except duckdb.Error as exc:
            raise unreadable(exc) from exc
        except OSError as exc:
            raise StorageError(
                f"The rows of {snapshot.id} cannot be copied: {exc.strerror or exc}.",
                hint="Give a cache with room, or a TMPDIR.",
            ) from exc
