"""A query's result for programs: CSV, JSON, NDJSON, Arrow and Parquet, to a file or to standard output."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from replaylake.cli.whole_files import whole_file
from schemas.errors import QueryError

if TYPE_CHECKING:
    from lake import QueryResult

FileForm = Literal["csv", "json", "ndjson", "arrow", "parquet"]


def write_result(result: QueryResult, form: FileForm, output: Path | None) -> int:
    """Write the rows to the file, whole or not at all, or to standard output; return how many there are.

    Raise QueryError where the form cannot hold them, and StorageError where the file cannot be written.
    """
    if form != "csv":
        _check_names(result.columns, form)
    try:
        if output is None:
            return _write(result, form, sys.stdout.buffer, to_file=False)
        with whole_file(output) as file:
            return _write(result, form, file, to_file=True)
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


def _write(result: QueryResult, form: FileForm, file: BinaryIO, *, to_file: bool) -> int:
    if form == "csv":
        return _write_csv(result, file)
    if form == "json":
        return _write_json(result, file)
    if form == "ndjson":
        return _write_lines(result, file)
    batches = result.batches()
    if form == "parquet":
        with pq.ParquetWriter(file, batches.schema, compression="zstd") as writer:
            return _write_batches(batches, writer)
    make = pa.ipc.new_file if to_file else pa.ipc.new_stream
    with make(file, batches.schema) as writer:
        return _write_batches(batches, writer)


def _write_batches(batches: pa.RecordBatchReader, writer: pq.ParquetWriter | pa.ipc.RecordBatchWriter) -> int:
    rows = 0
    for batch in batches:
        writer.write_batch(batch)
        rows += batch.num_rows
    return rows


def _write_json(result: QueryResult, file: BinaryIO) -> int:
    """Write an array of objects, an object a line."""
    rows = 0
    for lines in result.json_lines():
        if lines:
            file.write(b"[\n  " if not rows else b",\n  ")
            file.write(",\n  ".join(lines).encode())
            rows += len(lines)
    file.write(b"\n]\n" if rows else b"[]\n")
    return rows


def _write_lines(result: QueryResult, file: BinaryIO) -> int:
    rows = 0
    for lines in result.json_lines():
        if lines:
            file.write(("\n".join(lines) + "\n").encode())
            rows += len(lines)
    return rows


def _write_csv(result: QueryResult, file: BinaryIO) -> int:
    """Write null as nothing, and what CSV has no form for as JSON."""
    import polars as pl

    batches = result.csv_batches()
    names = batches.schema.names
    file.write(pl.DataFrame([names], orient="row").write_csv(include_header=False).encode())
    rows = 0
    for batch in batches:
        own = batch.rename_columns([str(number) for number in range(len(names))])
        # The text first: the library closes what has no file's number.
        file.write(pl.DataFrame(own).write_csv(include_header=False).encode())
        rows += batch.num_rows
    return rows
