"""Write rows as Parquet files of a partitioned table, durable before anybody is told of them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from lake.encoding import Level, row_group_rows, writer_options
from lake.stores import Store
from schemas.errors import StorageError
from schemas.step import KEY_COLUMNS, LINEAGE_FIELDS, ROW_ORDER

if TYPE_CHECKING:
    import pyarrow.dataset as ds

# A file's name says what may be expected of its rows: what lands is in no order.
_STARTS: Mapping[Level, str] = {"hot": "part", "compact": "sorted", "cold": "cold"}
_LEVELS: Mapping[str, Level] = {start: level for level, start in _STARTS.items()}
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
# Columns whose smallest and largest value let a reader skip a file. No floats: NaN has no order.
_STATISTICS = (*KEY_COLUMNS, "event_time", *(field.name for field in LINEAGE_FIELDS))
_PLACE = "#place"  # no column is called so


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """Name a file that is stored and not yet part of a table."""

    name: str  # relative to the table
    action: AddAction
    rows: int


def write_files(
    store: Store,
    rows: pa.Table,
    partition_by: Sequence[str],
    level: Level = "hot",
    *,
    data_change: bool = True,
) -> list[WrittenFile]:
    """Write one file for each partition that the rows have; on failure leave none behind.

    Rows of another level than "hot" are sorted by ROW_ORDER already, and no key is among them twice. Rows
    that are in the table already, in other files, are no `data_change`.
    """
    written: list[WrittenFile] = []
    try:
        for values, part in _partitions(rows, partition_by):
            written += write_partition(store, iter([part]), values, level, data_change=data_change)
    except BaseException:
        remove_files(store, written)
        raise
    return written


def write_partition(
    store: Store,
    tables: Iterator[pa.Table],
    values: Mapping[str, str | None],
    level: Level,
    *,
    data_change: bool,
    order: Sequence[str] = ROW_ORDER,
    most_bytes: int | None = None,
) -> Iterator[WrittenFile]:
    """Write the rows of one partition, without its columns, into files, and yield each once it is stored.

    A new file is begun where one has `most_bytes`. `order` is what the rows are sorted by. A file that fails
    is not left behind; those that were yielded are the caller's to remove.
    """
    waiting = next(tables, None)
    while waiting is not None:
        name = _new_name(values, level)
        schema = waiting.schema
        with store.create(name) as file:
            # Without a collector of metadata, which on a full disk would hide what is wrong.
            with pq.ParquetWriter(file, schema, **_options(schema, level, order)) as writer:
                while waiting is not None:
                    writer.write_table(waiting, row_group_size=row_group_rows(waiting, level))
                    waiting = next(tables, None)
                    if most_bytes is not None and file.tell() >= most_bytes:
                        break
            size = file.tell()
        metadata = writer.writer.metadata
        stats = json.dumps(_statistics(metadata), ensure_ascii=False)
        action = AddAction(name, size, dict(values), int(time.time() * 1000), data_change, stats)
        yield WrittenFile(name, action, metadata.num_rows)


def level_of(name: str) -> Level:
    """Return the level that a file of a table was written at."""
    started = PurePosixPath(name).name.partition("-")[0]
    return _LEVELS.get(started, "hot")


def remove_files(store: Store, written: Sequence[WrittenFile]) -> None:
    """Remove files that no commit will ever name."""
    for file in written:
        store.remove(file.name)


def read_file(
    store: Store,
    name: str,
    schema: pa.Schema,
    columns: Sequence[str],
    partition_by: Sequence[str],
    chosen: ds.Expression | None = None,
) -> pa.Table:
    """Read columns of one file of a table of that schema, and of its rows those that are chosen.

    Partition columns are in the file's name alone. A column that came to the table after the file is null.
    """
    held = _held(schema, partition_by)
    asked = [column for column in columns if column in held.names]
    with unreadable(store, name), store.open(name) as file:
        rows = _fragment(file).to_table(schema=held, columns=asked, filter=chosen)
    return _whole(rows, schema, columns, partition_values(name, partition_by))


def read_batches(
    store: Store,
    name: str,
    schema: pa.Schema,
    columns: Sequence[str],
    partition_by: Sequence[str],
    rows: int,
) -> Iterator[pa.Table]:
    """Iterate over the rows of a file likewise, so many at a time, in their order."""
    held = _held(schema, partition_by)
    asked = [column for column in columns if column in held.names]
    values = partition_values(name, partition_by)
    with unreadable(store, name), store.open(name) as file:
        batches = _fragment(file).to_batches(schema=held, columns=asked, batch_size=rows, batch_readahead=1)
        for batch in batches:
            yield _whole(pa.Table.from_batches([batch]), schema, columns, values)


def _fragment(file: pa.NativeFile) -> ds.Fragment:
    import pyarrow.dataset as ds  # it imports pandas, which takes a second: not everybody reads

    # A bit that was flipped on a disk must not come out as a value.
    checked = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    return ds.ParquetFileFormat(default_fragment_scan_options=checked).make_fragment(file)


def _held(schema: pa.Schema, partition_by: Sequence[str]) -> pa.Schema:
    """Return the columns that files hold."""
    return pa.schema([field for field in schema if field.name not in partition_by])


def _whole(
    rows: pa.Table, schema: pa.Schema, columns: Sequence[str], values: Mapping[str, str | None]
) -> pa.Table:
    """Return rows of a file together with the values of its partition."""
    fields = [schema.field(column) for column in columns]
    arrays = [
        pa.repeat(pa.scalar(values[field.name], field.type), rows.num_rows)
        if field.name in values
        else rows[field.name]
        for field in fields
    ]
    return pa.table(arrays, schema=pa.schema(fields))


@contextmanager
def unreadable(store: Store, name: str) -> Iterator[None]:
    """Raise StorageError for a file of a table that is gone or damaged."""
    try:
        yield
    except (OSError, pa.ArrowException) as exc:
        said = str(exc).partition("\n")[0].rstrip(".")
        raise StorageError(
            f"The file {store.uri(name)} does not read: {said}.", hint="Restore it from a copy."
        ) from exc


def partition_values(path: str, partition_by: Sequence[str]) -> dict[str, str | None]:
    """Read the partition's values off a file's path, whatever the folders above the table are called."""
    parts = PurePosixPath(path).parts[-len(partition_by) - 1 : -1]
    values = [part.partition("=")[2] for part in parts]
    return {
        name: None if value == _NULL_PARTITION else unquote(value)
        for name, value in zip(partition_by, values, strict=True)
    }


def _partitions(
    rows: pa.Table, partition_by: Sequence[str]
) -> Iterator[tuple[dict[str, str | None], pa.Table]]:
    import polars as pl

    if not rows.num_rows:
        return
    data = rows.drop_columns(list(partition_by))
    frame = pl.DataFrame(rows.select(list(partition_by))).with_row_index(_PLACE)
    groups = frame.group_by(list(partition_by), maintain_order=True).agg(_PLACE)
    for *values, places in groups.iter_rows():
        part = data if groups.height == 1 else data.take(pa.array(places))
        yield dict(zip(partition_by, values, strict=True)), part


def _new_name(values: Mapping[str, str | None], level: Level) -> str:
    parts = [f"{name}={_in_path(value)}" for name, value in values.items()]
    return "/".join([*parts, f"{_STARTS[level]}-{uuid.uuid4().hex}.parquet"])


def _options(schema: pa.Schema, level: Level, order: Sequence[str]) -> dict[str, Any]:
    options = writer_options(schema, level)
    if tuple(order) != ROW_ORDER:
        options.pop("sorting_columns", None)  # a promise that other rows would break
    return options


def _in_path(value: str | None) -> str:
    if value is None:
        return _NULL_PARTITION
    # A value that reads like the name for null is told from it by an escape.
    return quote(value, safe="").replace(_NULL_PARTITION, "%5F" + _NULL_PARTITION[1:])


def _statistics(metadata: Any) -> dict[str, Any]:
    lowest: dict[str, Any] = {}
    highest: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    unknown: set[str] = set()
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for index in range(row_group.num_columns):
            column = row_group.column(index)
            name = column.path_in_schema
            if name not in _STATISTICS or column.statistics is None:
                continue
            found = column.statistics
            if found.has_null_count:
                nulls[name] = nulls.get(name, 0) + found.null_count
            if found.has_min_max:
                lowest[name] = min(lowest.get(name, found.min), found.min)
                highest[name] = max(highest.get(name, found.max), found.max)
            elif found.num_values:  # texts too long to be kept: nothing is known of their bounds
                unknown.add(name)
    return {
        "numRecords": metadata.num_rows,
        "minValues": {name: _as_json(value) for name, value in lowest.items() if name not in unknown},
        "maxValues": {name: _as_json(value) for name, value in highest.items() if name not in unknown},
        "nullCount": nulls,
    }


def _as_json(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
