"""A query's result for people: the first rows, in as many columns as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from replaylake.cli.console import table
from replaylake.cli.json_text import json_text, plain

if TYPE_CHECKING:
    from rich.table import Table

_ROWS = 50
_CELL = 48  # characters of a value; a longer one is cut
_GAP = 3
_NAMED = 6  # columns that a note names


def result_table(batches: pa.RecordBatchReader, width: int) -> tuple[Table, str]:
    """Return the table, and a note that says how much more there is, or nothing.

    Of the rows only those are kept that are shown. Numbers are not grouped by thousands: they may be years
    or names.
    """
    from rich.text import Text

    first, count = _first_rows(batches)
    texts = [[_cell(value) for value in column.to_pylist()] for column in first.columns]
    shown_columns = _fitting(first.column_names, texts, width)
    names = first.column_names[:shown_columns]
    shown = table()
    for index, name in enumerate(names):
        number = pa.types.is_integer(first.schema.types[index]) or pa.types.is_floating(
            first.schema.types[index]
        )
        shown.add_column(Text(name), justify="right" if number else "left", no_wrap=True)
    for row in zip(*texts[:shown_columns], strict=True):
        shown.add_row(*(Text(text, style="dim" if text == "null" else "") for text in row))
    return shown, _note(first, count, shown_columns)


def _first_rows(batches: pa.RecordBatchReader) -> tuple[pa.Table, int]:
    """Return the first rows, and count all."""
    first = []
    count = 0
    for batch in batches:
        if count < _ROWS:
            first.append(batch.slice(0, _ROWS - count))
        count += batch.num_rows
    return pa.Table.from_batches(first, batches.schema), count  # an empty_table() would import pandas


def _fitting(names: Sequence[str], texts: Sequence[Sequence[str]], width: int) -> int:
    """Count the columns that fit into the width, one at least."""
    used = 0
    for index, (name, held) in enumerate(zip(names, texts, strict=True)):
        used += max(map(len, (name, *held))) + _GAP
        if used - _GAP > width:
            return max(index, 1)
    return len(names)


def _note(first: pa.Table, count: int, shown_columns: int) -> str:
    notes = []
    if count > first.num_rows:
        notes.append(f"the first {first.num_rows} of {count:,} rows")
    hidden = first.column_names[shown_columns:]
    if hidden:
        names = ", ".join(hidden[:_NAMED]) + (" and others" if len(hidden) > _NAMED else "")
        notes.append(f"{shown_columns} of {first.num_columns} columns, without {names}")
    return f"Shown: {'; '.join(notes)}. --format csv or json gives all." if notes else ""


def _cell(value: Any) -> str:
    if isinstance(value, float):
        text = f"{value:.6g}"
    elif value is None:
        text = "null"
    elif isinstance(value, datetime):
        text = value.isoformat(sep=" ", timespec="milliseconds" if value.microsecond else "seconds")
        text = text.removesuffix("+00:00")
    elif isinstance(value, bytes):
        text = f"{len(value):,} bytes"
    elif isinstance(value, list) and all(isinstance(element, float) for element in value):
        text = f"[{', '.join(f'{element:.4g}' for element in value)}]"
    else:
        found = plain(value)
        text = found if isinstance(found, str) else json_text(found, indent=None)
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"
