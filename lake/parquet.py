"""Write rows as Parquet files of a partitioned table, durable before anybody is told of them."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from lake.files import storage_errors, sync_folder
from schemas.step import KEY_COLUMNS, LINEAGE_FIELDS

_COMPRESSION = "zstd"
_LEVEL = 1  # the hot path: compaction compresses harder
_ROW_GROUP = 1 << 20
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
# Columns whose smallest and largest value let a reader skip a file. No floats: NaN has no order.
_STATISTICS = (*KEY_COLUMNS, "event_time", *(field.name for field in LINEAGE_FIELDS))


_PLACE = "#place"  # no column is called so


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """Name a file that is on disk and not yet part of a table."""

    path: Path
    action: AddAction


def write_files(folder: Path, rows: pa.Table, partition_by: Sequence[str]) -> list[WrittenFile]:
    """Write one file for each partition that the rows have; on failure leave none behind."""
    written: list[WrittenFile] = []
    with storage_errors(f"write to {folder}"):
        try:
            for values, part in _partitions(rows, partition_by):
                written.append(_write_file(folder, part, values))
        except BaseException:
            remove_files(written)
            raise
    return written


def remove_files(written: Sequence[WrittenFile]) -> None:
    """Remove files that no commit will ever name."""
    for file in written:
        file.path.unlink(missing_ok=True)


def read_file(
    path: str,
    columns: Sequence[str],
    partition_by: Sequence[str],
    filters: Sequence[tuple[str, str, object]] | None = None,
) -> pa.Table:
    """Read columns of one file of a table, partition columns too, which are in its path alone."""
    held = [name for name in columns if name not in partition_by]
    with storage_errors(f"read {path}"):
        rows = pq.read_table(path, columns=held, filters=filters, partitioning=None)
    for name, value in partition_values(path, partition_by).items():
        if name in columns:
            rows = rows.append_column(name, pa.repeat(pa.scalar(value, pa.string()), rows.num_rows))
    return rows.select(list(columns))


def partition_values(path: str, partition_by: Sequence[str]) -> dict[str, str | None]:
    """Read the partition's values off a file's path, whatever the folders above the table are called."""
    parts = Path(path).parts[-len(partition_by) - 1 : -1]
    values = [part.partition("=")[2] for part in parts]
    return {
        name: None if value == _NULL_PARTITION else unquote(value)
        for name, value in zip(partition_by, values, strict=True)
    }


def _partitions(
    rows: pa.Table, partition_by: Sequence[str]
) -> Iterator[tuple[dict[str, str | None], pa.Table]]:
    if not rows.num_rows:
        return
    data = rows.drop_columns(list(partition_by))
    frame = pl.DataFrame(rows.select(list(partition_by))).with_row_index(_PLACE)
    groups = frame.group_by(list(partition_by), maintain_order=True).agg(_PLACE)
    for *values, places in groups.iter_rows():
        part = data if groups.height == 1 else data.take(pa.array(places))
        yield dict(zip(partition_by, values, strict=True)), part


def _write_file(folder: Path, rows: pa.Table, values: Mapping[str, str | None]) -> WrittenFile:
    parts = [f"{name}={_in_path(value)}" for name, value in values.items()]
    relative = "/".join([*parts, f"part-{uuid.uuid4().hex}.parquet"])
    path = folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    collected: list[Any] = []
    try:
        with path.open("xb") as file:
            writer = pq.ParquetWriter(
                file,
                rows.schema,
                compression=_COMPRESSION,
                compression_level=_LEVEL,
                use_dictionary=_dictionary_columns(rows.schema),
                metadata_collector=collected,
            )
            with writer:
                writer.write_table(rows, row_group_size=_ROW_GROUP)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
        size = path.stat().st_size
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    stats = _statistics(collected[0])
    action = AddAction(
        relative, size, dict(values), int(time.time() * 1000), True, json.dumps(stats, ensure_ascii=False)
    )
    return WrittenFile(path, action)


def _in_path(value: str | None) -> str:
    if value is None:
        return _NULL_PARTITION
    # A value that reads like the name for null is told from it by an escape.
    return quote(value, safe="").replace(_NULL_PARTITION, "%5F" + _NULL_PARTITION[1:])


def _dictionary_columns(schema: pa.Schema) -> list[str]:
    """Name the columns that repeat their values; trying a dictionary on the others costs time only."""
    repeating = (pa.types.is_string, pa.types.is_integer, pa.types.is_boolean)
    return [field.name for field in schema if any(is_kind(field.type) for is_kind in repeating)]


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
