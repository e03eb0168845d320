"""How a Parquet file of a table is encoded: fast to write, fast to read, or as small as can be.

What decides was measured on CartPole, Pendulum and rendered frames (see docs/benchmarks.md). Floats look
random to a compressor, and stay as they are; what repeats has a dictionary; what counts up has none, for the
compressor sees that by itself. Frames are compressed many to a page: a frame resembles the one before it.

DELTA_BINARY_PACKED is not used: fastparquet 2026.9 reads it wrongly, without an error, where differences
take 28 bits or more, as those of event times between episodes do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.step import ROW_ORDER

Level = Literal["hot", "compact", "cold"]

# They count up along an episode or a stream, once rows are sorted.
_COUNTING = frozenset({"step", "event_time", "stream_offset", "stream_row"})
_IN_LIST = ".list.element"
_SOUGHT = "episode_id"  # by its value alone: of one run any group may hold it, as far as bounds tell
_MISTAKEN = 0.02  # groups that are read although they do not have it
_FRAMES_PAGE = 4 << 20  # bytes: larger pages gain a few percent, and cost a reader of one episode more
_FRAMES_BATCH = 64  # values between two looks at a page's size


@dataclass(frozen=True, slots=True)
class _Effort:
    """Say how hard a level tries."""

    compression: int  # of zstd
    group_rows: int
    group_bytes: int
    is_sorted: bool
    splits_bytes: bool


_EFFORTS: dict[Level, _Effort] = {
    "hot": _Effort(1, 1 << 20, 256 << 20, is_sorted=False, splits_bytes=False),
    # Groups so small that one episode is found by their bounds, and that threads share a file.
    "compact": _Effort(7, 1 << 17, 128 << 20, is_sorted=True, splits_bytes=False),
    # Arrays byte by byte take a tenth less. Of the readers we know, fastparquet alone refuses them.
    "cold": _Effort(12, 1 << 17, 128 << 20, is_sorted=True, splits_bytes=True),
}


def writer_options(schema: pa.Schema, level: Level) -> dict[str, Any]:
    """Return the arguments by which `pyarrow.parquet.ParquetWriter` writes rows of the schema.

    "hot" is for rows as they land, "compact" and "cold" for rows that are sorted by ROW_ORDER. DuckDB,
    Polars, pyarrow and Spark read every level, fastparquet all but "cold".
    """
    effort = _EFFORTS[level]
    leaves = list(_leaves(schema))
    dictionary, encodings, statistics = [], {}, []
    for path, kind in leaves:
        if _repeats(path, kind, level):
            dictionary.append(path)
        elif effort.splits_bytes and (path in _COUNTING or _is_float_in_list(path, kind)):
            encodings[path] = "BYTE_STREAM_SPLIT"
        if _IN_LIST not in path and not pa.types.is_binary(kind):
            statistics.append(path)  # no reader skips rows by the bounds of what is in lists
    options: dict[str, Any] = {
        "compression": "zstd",
        "compression_level": effort.compression,
        "use_dictionary": dictionary,
        "column_encoding": encodings,
        "write_statistics": statistics,
        "write_page_checksum": True,
    }
    if any(pa.types.is_binary(kind) for _, kind in leaves):
        options |= {"data_page_size": _FRAMES_PAGE, "write_batch_size": _FRAMES_BATCH}
    if effort.is_sorted:
        paths = [path for path, _ in leaves]
        options |= {"write_page_index": True, "sorting_columns": _row_order(paths)}
        if (
            _SOUGHT in paths
        ):  # as many values at most as a group has rows; the writer shrinks what is too large
            sought = {"ndv": effort.group_rows, "fpp": _MISTAKEN}
            options["bloom_filter_options"] = {_SOUGHT: sought}
    return options


def row_group_rows(rows: pa.Table, level: Level) -> int:
    """Return how many of such rows make a row group: few of those that hold frames."""
    effort = _EFFORTS[level]
    fitting: int = effort.group_bytes * rows.num_rows // max(1, rows.nbytes)
    return max(1, min(effort.group_rows, fitting))


def _leaves(schema: pa.Schema) -> Iterator[tuple[str, pa.DataType]]:
    """Iterate over the columns that a file has: a path and a type for each field of a struct or a list."""
    for field in schema:
        yield from _below(field.name, field.type)


def _below(path: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _below(f"{path}.{field.name}", field.type)
    elif pa.types.is_list(kind):
        yield from _below(path + _IN_LIST, kind.value_type)
    else:
        yield path, kind


def _repeats(path: str, kind: pa.DataType, level: Level) -> bool:
    """Say whether a dictionary is tried: it costs time where values turn out not to repeat."""
    if pa.types.is_integer(kind):
        return _IN_LIST not in path if level == "hot" else path not in _COUNTING
    return bool(pa.types.is_string(kind) or (pa.types.is_timestamp(kind) and path not in _COUNTING))


def _is_float_in_list(path: str, kind: pa.DataType) -> bool:
    """Say whether these are numbers of an array; single ones, such as rewards, often repeat."""
    return _IN_LIST in path and bool(pa.types.is_floating(kind))


def _row_order(paths: list[str]) -> list[pq.SortingColumn]:
    if not set(ROW_ORDER) <= set(paths):
        return []
    return [pq.SortingColumn(paths.index(name), nulls_first=True) for name in ROW_ORDER]
