"""A query's result for programs: CSV, JSON, Arrow and Parquet, to a file or to standard output."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from replaylake.cli.json_text import plain
from replaylake.cli.whole_files import whole_file
from schemas.errors import QueryError

_BATCH = 10_000  # rows that are Python objects at a time


def write_result(
    rows: pa.Table, form: Literal["csv", "json", "arrow", "parquet"], output: Path | None
) -> None:
    """Write the rows to the file, whole or not at all, or to standard output.

    Raise QueryError where the form cannot hold them, and StorageError where the file cannot be written.
    """
    if form != "csv":
        _check_names(rows.column_names, form)
    try:
        if output is None:
            _write(rows, form, sys.stdout.buffer, to_file=False)
            return
        with whole_file(output) as file:
            _write(rows, form, file, to_file=True)
    except pa.ArrowException as exc:
        raise QueryError(
            f"The result cannot be written as {form}: {str(exc).splitlines()[0].rstrip('.')}.",
            hint="Cast the column in the query, such as column::varchar, or choose another format.",
        ) from exc


def _check_names(names: Sequence[str], form: str) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise QueryError(
            f"Two columns of the result are named {doubled[0]!r}, which {form} cannot hold.",
            hint="Name one of them anew with AS.",
        )


def _write(rows: pa.Table, form: str, file: BinaryIO, *, to_file: bool) -> None:
    if form == "csv":
        _write_csv(rows, file)
    elif form == "json":
        _write_json(rows, file)
    elif form == "parquet":
        pq.write_table(rows, file, compression="zstd")
    else:
        make = pa.ipc.new_file if to_file else pa.ipc.new_stream
        with make(file, rows.schema) as writer:
            writer.write_table(rows)


def _write_json(rows: pa.Table, file: BinaryIO) -> None:
    """Write an array of objects, an object a line."""
    separator = b"["
    for row in _rows(rows, _json_values):
        line = json.dumps(dict(zip(rows.column_names, row, strict=True)), ensure_ascii=False, allow_nan=False)
        file.write(separator + b"\n  " + line.encode())
        separator = b","
    file.write(b"\n]\n" if rows.num_rows else b"[]\n")


def _write_csv(rows: pa.Table, file: BinaryIO) -> None:
    """Write null as nothing, and what CSV has no form for as JSON."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(rows.column_names)
        writer.writerows(_rows(rows, _csv_values))
    finally:
        text.detach()  # the file is its owner's to close


def _rows(rows: pa.Table, values: Callable[[pa.Array], list[Any]]) -> Iterator[tuple[Any, ...]]:
    for batch in rows.to_batches(max_chunksize=_BATCH):
        yield from zip(*map(values, batch.columns), strict=True)


def _json_values(column: pa.Array) -> list[Any]:
    held: list[Any] = column.to_pylist()
    return held if _is_plain(column) else [plain(value) for value in held]


def _csv_values(column: pa.Array) -> list[Any]:
    held = _json_values(column)
    if pa.types.is_boolean(column.type) or pa.types.is_nested(column.type):
        return [None if value is None else json.dumps(value, ensure_ascii=False) for value in held]
    return held


def _is_plain(column: pa.Array) -> bool:
    """Say whether JSON has a form for all of the column's values, which spares looking at each."""
    if pa.types.is_list(column.type):
        return _is_plain(column.flatten())
    if pa.types.is_floating(column.type):
        return bool(pc.all(pc.is_finite(column), min_count=0).as_py())
    kinds = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_string, pa.types.is_null)
    return any(is_kind(column.type) for is_kind in kinds)
