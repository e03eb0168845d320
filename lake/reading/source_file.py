"""A Parquet file of steps, read by row groups, wherever it is kept."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lake.parquet import unreadable
from lake.reading.pages import NotPlainError, check_pages, column_index, plain_values
from lake.reading.projection import Leaf
from lake.stores import Store

_TEXTS = ("source", "agent_id", "episode_id")  # which repeat: read as codes
_BUFFER = 4 << 20  # bytes that are fetched at a time


class SourceFile:
    """Read one Parquet file of steps; any thread may."""

    def __init__(
        self,
        store: Store,
        name: str,
        constants: Mapping[str, str | None],
        schema: pa.Schema,
    ) -> None:
        self._store = store
        self._name = name
        self._constants = dict(constants)  # partition columns, which are in the file's path alone
        self._schema = schema
        self._metadata: pq.FileMetaData | None = None
        self._names: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    @property
    def metadata(self) -> pq.FileMetaData:
        """The file's footer, read once."""
        with self._lock:
            if self._metadata is None:
                with self._opened() as file:
                    self._metadata = pq.read_metadata(file)
            return self._metadata

    def has(self, column: str) -> bool:
        """Say whether the file itself holds a column: one that was added later is null in older files."""
        metadata = self.metadata
        if not self._names:
            self._names = frozenset(metadata.schema.to_arrow_schema().names)
        return column not in self._constants and column in self._names

    def batches(self, group: int, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Iterate over columns of a row group, so many rows at a time; texts of keys come as codes."""
        held = [name for name in columns if self.has(name)]
        metadata = self.metadata
        if not held:
            yield from self._without_columns(metadata.row_group(group).num_rows, columns, rows)
            return
        with self._opened() as file:
            reader = pq.ParquetFile(
                file,
                metadata=metadata,
                read_dictionary=[name for name in held if name in _TEXTS],
                buffer_size=_BUFFER,
                pre_buffer=False,
                page_checksum_verification=True,
            )
            for batch in reader.iter_batches(rows, [group], held, use_threads=False):
                yield self._completed(batch, columns)

    def plain(self, group: int, leaf: Leaf) -> Iterator[NDArray[Any]]:
        """Iterate over an array's values in a row group, flat; raise NotPlainError where Arrow is needed."""
        index = column_index(self.metadata, leaf) if self.has(leaf.column) else None
        if index is None:
            raise NotPlainError
        with self._opened() as file:
            yield from plain_values(file, self.metadata, group, index, leaf)

    def check(self, columns: Collection[str]) -> None:
        """Compare the pages of columns with their checksums; raise StorageError where a bit was flipped."""
        with self._opened() as file:
            for group in range(self.metadata.num_row_groups):
                described = self.metadata.row_group(group)
                for chunk in map(described.column, range(described.num_columns)):
                    if chunk.path_in_schema.partition(".")[0] in columns:
                        check_pages(file, chunk)

    def nulls(self, group: int, column: str) -> int | None:
        """Return how many rows of a group have no value, where the footer knows it is all or none."""
        if not self.has(column):
            return int(self.metadata.row_group(group).num_rows)
        described = self.metadata.row_group(group)
        found = [described.column(index) for index in range(described.num_columns)]
        leaves = [leaf for leaf in found if leaf.path_in_schema.partition(".")[0] == column]
        statistics = [leaf.statistics for leaf in leaves]
        if all(held is not None and held.has_null_count for held in statistics):
            if all(held.null_count == described.num_rows for held in statistics) and all(
                leaf.num_values == described.num_rows for leaf in leaves
            ):
                return int(described.num_rows)
            if all(held.null_count == 0 for held in statistics):
                return 0
        return None

    @contextmanager
    def _opened(self) -> Iterator[pa.NativeFile]:
        with unreadable(self._store, self._name), self._store.open(self._name) as file:
            yield file

    def _without_columns(self, count: int, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        for start in range(0, count, rows):
            length = min(rows, count - start)
            arrays = [self._constant(name, length) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))

    def _completed(self, batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
        if batch.schema.names == list(columns):
            return batch
        names = set(batch.schema.names)
        arrays = [
            batch.column(name) if name in names else self._constant(name, batch.num_rows) for name in columns
        ]
        return pa.RecordBatch.from_arrays(arrays, names=list(columns))

    def _constant(self, name: str, rows: int) -> pa.Array:
        if name in self._constants:
            made = pa.repeat(pa.scalar(self._constants[name], pa.string()), rows)
            return made.dictionary_encode() if name in _TEXTS else made
        return pa.nulls(rows, self._schema.field(name).type)
