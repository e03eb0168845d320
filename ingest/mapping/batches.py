"""Batches: the records under one roof, whether they are a frame or parsed objects."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import polars as pl

from ingest.mapping.paths import Path, dig
from ingest.mapping.values import Rows, Values, of_objects, of_series
from schemas.errors import UsageError


class Batch:
    """Give the values of fields, each read once."""

    def __init__(self, fields: pl.DataFrame | Sequence[Mapping[str, Any]]) -> None:
        self._frame = fields if isinstance(fields, pl.DataFrame) else None
        self._records = None if isinstance(fields, pl.DataFrame) else fields
        self._read: dict[str, Values] = {}

    def __len__(self) -> int:
        return len(self._records) if self._frame is None else self._frame.height  # type: ignore[arg-type]

    def take(self, rows: Rows) -> Batch:
        """Return a batch of these rows."""
        if self._frame is not None:
            return Batch(self._frame[rows])
        return Batch([self.records[row] for row in rows.tolist()])

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The records as objects."""
        if self._records is None and self._frame is not None:
            self._records = self._frame.to_dicts()
        return self._records or ()

    def values(self, path: Path, *, optional: bool = False) -> Values:
        """Return what the field holds in each record.

        A record that is an object may lack it. A table has the same columns for all of its rows, so one
        that is not there is a mistake, and raises UsageError unless it is optional.
        """
        held = self._read.get(path.text)
        if held is None:
            held = self._read[path.text] = self._find(path, optional)
        return held

    def column(self, path: Path) -> pl.Series | None:
        """Return the column of a table that the path names, as it is; None where it names a part of one."""
        if self._frame is None or not path.is_plain or path.head not in self._frame.columns:
            return None
        return self._frame[path.head]

    def _find(self, path: Path, optional: bool) -> Values:
        if self._frame is None:
            return of_objects([path.find(record) for record in self.records])
        if path.head is None:
            return of_objects([path.find(record) for record in self.records])
        if path.head not in self._frame.columns:
            if optional:
                return of_objects([None] * self._frame.height)
            raise self._no_column(path.head)
        return _inside(self._frame[path.head], (path.keys or ())[1:])

    def _no_column(self, name: str) -> UsageError:
        columns = self._frame.columns if self._frame is not None else []
        near = difflib.get_close_matches(name, columns, n=1)
        listed = ", ".join(columns[:20]) + (" and others" if len(columns) > 20 else "")
        return UsageError(
            f"The table has no column {name!r}.",
            hint=f"Did you mean {near[0]!r}?" if near else f"It has: {listed}.",
        )


def _inside(series: pl.Series, keys: Sequence[str | int]) -> Values:
    """Follow keys into structs and lists, and into text that is JSON."""
    for place, key in enumerate(keys):
        if isinstance(key, str) and isinstance(series.dtype, pl.Struct):
            names = [field.name for field in series.dtype.fields]
            series = series.struct.field(key) if key in names else pl.Series([None] * len(series))
        elif isinstance(key, int) and series.dtype == pl.List:
            series = series.list.get(key, null_on_oob=True)
        else:
            return of_objects([dig(parsed(value), keys[place:]) for value in series.to_list()])
    return of_series(series)


def parsed(value: Any) -> Any:
    """Return what a JSON text of an object or a list holds; what is none is returned as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return orjson.loads(value)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        pass
    try:
        return json.loads(value)  # which takes NaN, and integers of any size
    except (ValueError, RecursionError):
        return value
