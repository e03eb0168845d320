"""Values: what a field holds in every record, sorted by kind, so that each kind is converted in bulk.

A value's kind is its own: which others stand in the batch says nothing about it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

MOMENT_TYPE = pl.Datetime("us", "UTC")
LOCAL_TYPE = pl.Datetime("us")
_INT64 = range(-(2**63), 2**63)


class Kind(IntEnum):
    """Name what a value is."""

    NOTHING = 0
    BOOL = 1
    INT = 2
    FLOAT = 3
    TEXT = 4
    MOMENT = 5  # a time that knows its zone, in microseconds of UTC
    LOCAL = 6  # a time that knows none
    BYTES = 7
    LIST = 8
    OBJECT = 9
    OTHER = 10  # an integer beyond 64 bits, half a character, a duration


_TYPES: dict[Kind, Any] = {
    Kind.BOOL: pl.Boolean,
    Kind.INT: pl.Int64,
    Kind.FLOAT: pl.Float64,
    Kind.TEXT: pl.String,
    Kind.MOMENT: MOMENT_TYPE,
    Kind.LOCAL: LOCAL_TYPE,
    Kind.BYTES: pl.Binary,
}
_KINDS: dict[type, Kind] = {
    type(None): Kind.NOTHING,
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.FLOAT,
    str: Kind.TEXT,
    bytes: Kind.BYTES,
    list: Kind.LIST,
    tuple: Kind.LIST,
    dict: Kind.OBJECT,
    date: Kind.LOCAL,
}


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Hold the values of one kind, and the rows that have them; `rows` of None are all rows.

    Lists and objects that were parsed one by one are Python's; what came in a column is a series. A null
    among the values is a missing value.
    """

    kind: Kind
    rows: Rows | None
    values: pl.Series | Sequence[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Hold one value for each record. In rows that `failed`, none could be had, and `problem` says why."""

    length: int
    groups: tuple[Group, ...]
    at: Callable[[int], Any]  # the value of a row, for people
    failed: Mask | None = None
    problem: Callable[[int], str] | None = None

    def why_failed(self, row: int) -> str | None:
        """Say why the row has no value; None where it did not fail."""
        if self.failed is None or not self.failed[row] or self.problem is None:
            return None
        return self.problem(row)

    def present(self) -> Mask:
        """Say which rows have a value."""
        mask = np.zeros(self.length, np.bool_)
        for group in self.groups:
            if group.kind is not Kind.NOTHING:
                there = valid(group.values)
                mask[slice(None) if group.rows is None else group.rows] = there
        return mask


def valid(values: pl.Series | Sequence[Any]) -> Mask:
    """Say which of a group's values are not missing."""
    if isinstance(values, pl.Series):
        return values.is_not_null().to_numpy() if values.null_count() else np.ones(len(values), np.bool_)
    return np.fromiter((value is not None for value in values), np.bool_, len(values))


def of_objects(values: Sequence[Any]) -> Values:
    """Sort Python values, as JSON gives them, by kind."""
    groups: list[Group] = []
    kinds = {type_: _kind_of(type_) for type_ in set(map(type, values))}
    present = set(kinds.values()) - {Kind.NOTHING}
    if len(present) == 1:
        groups.extend(_grouped(present.pop(), None, values))
    elif present:
        codes = np.fromiter((kinds[type(value)] for value in values), np.int8, len(values))
        for kind in sorted(present):
            rows = np.flatnonzero(codes == kind)
            groups.extend(_grouped(kind, rows, [values[row] for row in rows.tolist()]))
    return Values(len(values), tuple(groups), values.__getitem__)


def _kind_of(type_: type) -> Kind:
    if issubclass(type_, datetime):
        return Kind.MOMENT
    return _KINDS.get(type_, Kind.OBJECT if hasattr(type_, "keys") else Kind.OTHER)


def _grouped(kind: Kind, rows: Rows | None, values: Sequence[Any]) -> list[Group]:
    if kind is Kind.LOCAL:
        return [Group(kind, rows, pl.Series(values, dtype=pl.Date).cast(LOCAL_TYPE))]
    if kind is Kind.MOMENT:
        return _moments(rows, values)
    if kind not in _TYPES:
        return [Group(kind, rows, values)]
    try:
        return [Group(kind, rows, pl.Series(values, dtype=_TYPES[kind]))]
    except (TypeError, OverflowError, UnicodeEncodeError):
        return _split(kind, rows, values, [value is None or is_plain(value) for value in values])


def _moments(rows: Rows | None, values: Sequence[Any]) -> list[Group]:
    """Part times that know their zone from those that do not."""
    places = np.arange(len(values)) if rows is None else rows
    groups = []
    for kind in (Kind.MOMENT, Kind.LOCAL):
        chosen = [
            place
            for place, value in enumerate(values)
            if value is not None and (value.tzinfo is not None) == (kind is Kind.MOMENT)
        ]
        if chosen:
            held = pl.Series([values[place] for place in chosen], dtype=_TYPES[kind])
            groups.append(Group(kind, places[chosen], held))
    return groups


def is_plain(value: Any) -> bool:
    """Say whether a column can hold an integer or a text: of 64 bits, and without half a character."""
    if isinstance(value, int):
        return value in _INT64
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _split(kind: Kind, rows: Rows | None, values: Sequence[Any], fits: Sequence[bool]) -> list[Group]:
    places = np.arange(len(values)) if rows is None else rows
    fitting = np.array(fits, np.bool_)
    good = [value for value, fit in zip(values, fits, strict=True) if fit]
    rest = [value for value, fit in zip(values, fits, strict=True) if not fit]
    return [
        Group(kind, places[fitting], pl.Series(good, dtype=_TYPES[kind])),
        Group(Kind.OTHER, places[~fitting], rest),
    ]


def of_series(series: pl.Series) -> Values:
    """Take a typed column."""

    def at(row: int) -> Any:
        value = series[row]
        return value.to_list() if isinstance(value, pl.Series) else value

    return Values(len(series), tuple(_column_groups(series)), at)


def _column_groups(series: pl.Series) -> list[Group]:
    type_ = series.dtype
    if type_ == pl.Null or series.null_count() == len(series):
        return []
    if type_.is_integer():
        return _integers(series)
    if type_ in (pl.Categorical, pl.Enum):
        return [Group(Kind.TEXT, None, series.cast(pl.String))]
    if type_.is_float() or type_.is_decimal():
        return [Group(Kind.FLOAT, None, series.cast(pl.Float64))]
    if type_ == pl.Datetime:
        return [_datetimes(series)]
    if type_ == pl.Date:
        return [Group(Kind.LOCAL, None, series.cast(LOCAL_TYPE))]
    if type_ == pl.Array:
        return [Group(Kind.LIST, None, series.arr.to_list())]
    kinds = {pl.Boolean: Kind.BOOL, pl.String: Kind.TEXT, pl.Binary: Kind.BYTES}
    nested = {pl.List: Kind.LIST, pl.Struct: Kind.OBJECT}
    kind = kinds.get(type_.base_type()) or nested.get(type_.base_type())
    return [Group(kind, None, series) if kind else Group(Kind.OTHER, None, series.to_list())]


def _integers(series: pl.Series) -> list[Group]:
    held = series.cast(pl.Int64, strict=False)
    if held.null_count() == series.null_count():
        return [Group(Kind.INT, None, held)]
    return _split(Kind.INT, None, series.to_list(), (held.is_not_null() | series.is_null()).to_list())


def _datetimes(series: pl.Series) -> Group:
    zone = getattr(series.dtype, "time_zone", None)
    if getattr(series.dtype, "time_unit", "us") == "ns":  # to the earlier microsecond, also before 1970
        micros = series.to_physical() // 1000
        series = micros.cast(MOMENT_TYPE if zone else LOCAL_TYPE)
    elif zone:
        series = series.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    else:
        series = series.dt.cast_time_unit("us")
    return Group(Kind.MOMENT if zone else Kind.LOCAL, None, series)
