"""Records that quarantine holds as bytes, read again so that a mapping can be applied to them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from ingest.records import Records
from ingest.sources.options import CsvOptions, SourceOptions

NOT_A_RECORD = "not_a_record"


def read_records(
    raws: Sequence[bytes], ids: Sequence[str], options: SourceOptions
) -> tuple[Records, list[int], dict[int, str]]:
    """Return the records, which of the bytes each is of, and what is wrong with the others.

    Bytes are one JSON object each, or one line of CSV where the options say so: its columns have to be
    named there, for the file with its header is not at hand.
    """
    is_csv = options.format == "csv"
    fields: list[Mapping[str, Any]] = []
    read: list[int] = []
    unread: dict[int, str] = {}
    for index, raw in enumerate(raws):
        try:
            fields.append(_line(raw, options.csv) if is_csv else _object(raw))
            read.append(index)
        except (ValueError, RecursionError, csv.Error) as exc:
            unread[index] = f"The record does not read: {str(exc).partition(chr(10))[0].rstrip('.')}."
    held = [raws[index] for index in read]
    table: pl.DataFrame | list[Mapping[str, Any]] = fields
    if is_csv:
        table = pl.DataFrame(fields, schema=dict.fromkeys(options.csv.columns or (), pl.String))
    named = pa.array([ids[index] for index in read], pa.string())
    return Records(table, named, held.__getitem__), read, unread


def _object(raw: bytes) -> dict[str, Any]:
    found = json.loads(raw.decode())
    if not isinstance(found, dict):
        raise ValueError(f"it is a JSON {type(found).__name__}, and an object is expected")
    return found


def _line(raw: bytes, options: CsvOptions) -> dict[str, str | None]:
    if options.columns is None:
        raise ValueError("its columns are not known; name them in the mapping, under source.csv.columns")
    text = raw.decode(options.encoding)
    rows = csv.reader(
        text.splitlines(keepends=True),
        delimiter=options.delimiter,
        quotechar=options.quote,
        quoting=csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE,
        strict=True,
    )
    (values,) = list(rows)
    if len(values) != len(options.columns):
        raise ValueError(f"it has {len(values)} values, and there are {len(options.columns)} columns")
    held = (None if value in options.nulls else value for value in values)
    return dict(zip(options.columns, held, strict=True))
