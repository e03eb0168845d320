"""Rows of a publisher from the call to the table: quick where they are plain, exact where they are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from ingest.publishing.codecs import Codec, Floats, FreeFields, OddValueError, codec_of, has_rows, plain_codec
from ingest.publishing.rows import ready_row
from schemas.archive_spec import ArchiveSpec
from schemas.errors import StepsError
from schemas.step import PROPENSITY_ALIAS, WIRE_COLUMNS, wire_schema

# A plain row is a tuple of held values in the order of the wire's columns; an odd one is Arrow's own dict.
Row = tuple[Any, ...] | dict[str, Any]

_ROW_BYTES = 400  # what a row takes in memory beside its large values
_NUMBER = Floats(pa.float64())


class RowCodec:
    """Check and copy rows of one archive as they are given, and build tables of many.

    `texts` stand where a row says nothing; one that is None stands nowhere.
    """

    def __init__(self, spec: ArchiveSpec, texts: Mapping[str, str | None]) -> None:
        self._spec = spec
        self._texts = {name: text for name, text in texts.items() if text is not None}
        self._schema = wire_schema(spec)
        self._codecs = {field.name: _codec(spec, field) for field in self._schema}
        names = list(self._codecs)
        self._takes: dict[str, tuple[int, Callable[[Any], Any]]] = {
            name: (place, codec.take) for place, (name, codec) in enumerate(self._codecs.items())
        }
        self._takes[PROPENSITY_ALIAS] = names.index("action_log_prob"), _log
        self._defaults = {column.name: column.default for column in WIRE_COLUMNS}
        self._blank = [self._texts.get(name) for name in names]
        needed = [column.name for column in WIRE_COLUMNS if column.required and column.default is None]
        self._needed = itemgetter(*map(names.index, needed))
        self._place = itemgetter(*map(names.index, ("episode_id", "step")))
        self._event = names.index("event_id")
        self._row_bytes = _ROW_BYTES
        self._measured: list[tuple[int, Callable[[Any], int]]] = []
        for name in ("info", "action_mask", *spec.spaces):
            codec = self._codecs[name]
            if name in needed and codec.width:
                self._row_bytes += codec.width
            else:
                self._measured.append((names.index(name), codec.size))

    def take(self, record: Mapping[str, Any]) -> Row:
        """Return the record as a row, copied; raise StepsError naming the row, the column and the value."""
        try:
            return self._plain(record)
        except OddValueError:
            return ready_row(self._filled(record), self._spec)

    def take_many(self, columns: Mapping[str, Any], rows: int) -> Sequence[Row]:
        """Return the rows of columns, copied: all, or StepsError at the first bad one."""
        try:
            return self._plain_many(columns, rows)
        except OddValueError:
            return [self.take(record) for record in _records(columns, rows)]

    def size(self, row: Row) -> int:
        """Return about how many bytes the row takes."""
        if isinstance(row, dict):
            return _ROW_BYTES + sum(map(_size, row.values()))
        size = self._row_bytes
        for place, measure in self._measured:
            value = row[place]
            if value is not None:
                size += measure(value)
        return size

    def table(self, rows: Sequence[Row]) -> pa.Table:
        """Return rows, one at least, as a table of the wire's columns, in their order."""
        plain = [row for row in rows if type(row) is tuple]
        if len(plain) == len(rows):
            return self._table(plain)
        odd = [row for row in rows if type(row) is dict]
        exact = pa.Table.from_pylist(odd, schema=self._schema)
        if not plain:
            return exact
        is_odd = np.array([type(row) is dict for row in rows])
        places = np.argsort(np.argsort(is_odd, kind="stable"))
        return pa.concat_tables([self._table(plain), exact]).combine_chunks().take(places)

    def _plain(self, record: Mapping[str, Any]) -> Row:
        row = self._blank.copy()
        takes = self._takes
        try:
            for name, value in record.items():
                if value is not None:
                    place, take = takes[name]
                    row[place] = take(value)
        except KeyError as exc:  # a column that is not one of the step's
            raise OddValueError from exc
        if None in self._needed(row) or (None in self._place(row) and row[self._event] is None):
            raise OddValueError
        if record.get(PROPENSITY_ALIAS) is not None and record.get("action_log_prob") is not None:
            raise OddValueError
        return tuple(row)

    def _plain_many(self, columns: Mapping[str, Any], rows: int) -> Sequence[Row]:
        held: list[Iterable[Any]] = [repeat(text, rows) for text in self._blank]
        for name, values in columns.items():
            if values is not None and name != PROPENSITY_ALIAS:
                place = self._place_of(name)
                held[place] = self._codecs[name].take_many(values, rows)
        probabilities = columns.get(PROPENSITY_ALIAS)
        if probabilities is not None:
            if columns.get("action_log_prob") is not None:
                raise OddValueError
            numbers = _NUMBER.take_many(probabilities, rows)
            place = self._place_of(PROPENSITY_ALIAS)
            held[place] = [None if number is None else _log(number) for number in numbers]
        for column in (*self._needed(held), *self._place(held)):
            if None in column:
                raise OddValueError
        return list(zip(*held, strict=True))

    def _place_of(self, name: str) -> int:
        if name not in self._takes:
            raise OddValueError
        return self._takes[name][0]

    def _filled(self, record: Mapping[str, Any]) -> dict[str, Any]:
        return self._texts | {name: value for name, value in record.items() if value is not None}

    def _table(self, rows: Sequence[Row]) -> pa.Table:
        arrays = []
        columns: Iterable[tuple[Any, ...]] = zip(*rows, strict=True)
        for field, codec, column in zip(self._schema, self._codecs.values(), columns, strict=True):
            default = self._defaults.get(field.name)
            nulls = column.count(None)
            if nulls == len(rows) and default is None:
                array = pa.nulls(len(rows), field.type)
            elif nulls == len(rows):
                array = pa.repeat(pa.scalar(default, field.type), len(rows))
            else:
                array = codec.array(column)
                if nulls and default is not None:
                    array = array.fill_null(pa.scalar(default, field.type))
            arrays.append(array)
        return pa.table(arrays, schema=self._schema)


def _codec(spec: ArchiveSpec, field: pa.Field) -> Codec:
    if field.name == "info":
        return FreeFields(field.type)
    space = spec.spaces.get(field.name)
    return plain_codec(field.type) if space is None else codec_of(space)


def _log(probability: Any) -> float:
    number = _NUMBER.take(probability)
    if number > 0:
        return math.log(number)
    raise OddValueError


def _records(columns: Mapping[str, Any], rows: int) -> Iterable[dict[str, Any]]:
    for name, values in columns.items():
        _check_length(name, values, rows)
    for row in range(rows):
        yield {name: _item(values, row) for name, values in columns.items()}


def _check_length(name: str, values: Any, rows: int) -> None:
    if isinstance(values, Mapping):
        for part in values.values():
            _check_length(name, part, rows)
    elif values is not None and not has_rows(values, rows):
        raise StepsError(
            f"The column {name!r} does not have {rows} rows.", column=name, hint="Give one value a row."
        )


def _item(values: Any, row: int) -> Any:
    """Return a row's value of a column, which for a Dict or a Tuple may be one of columns."""
    if isinstance(values, Mapping):
        return {name: _item(part, row) for name, part in values.items()}
    return None if values is None else values[row]


def _size(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, list):
        return 8 * len(value)
    return sum(map(_size, value.values())) if isinstance(value, dict) else 0
