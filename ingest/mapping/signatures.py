"""Signatures: the kinds of the fields that an expression reads in a record.

Records that are parsed one by one have no common type for a field: here it is a number, there a text. An
expression is evaluated for those of one signature together, so that what else is in the batch is of no
matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.mapping.values import Kind, Rows, Values, is_plain, valid

_LIST = 100  # the code of a list is this plus the kind of its elements
_LISTS = {Kind.BOOL: pl.Boolean, Kind.INT: pl.Int64, Kind.FLOAT: pl.Float64, Kind.TEXT: pl.String}
_ELEMENTS: dict[type, Kind] = {bool: Kind.BOOL, int: Kind.INT, float: Kind.FLOAT, str: Kind.TEXT}


def kind_codes(values: Values) -> NDArray[np.int64]:
    """Return a number for the kind of each value; that of a list tells the kind of its elements, too."""
    codes = np.full(values.length, Kind.NOTHING, np.int64)
    for group in values.groups:
        places = slice(None) if group.rows is None else group.rows
        held: Any = np.where(valid(group.values), int(group.kind), int(Kind.NOTHING))
        if group.kind is Kind.LIST and isinstance(group.values, pl.Series):
            held = np.where(valid(group.values), _column_code(group.values.dtype), int(Kind.NOTHING))
        elif group.kind is Kind.LIST:
            held = [_list_code(value) for value in group.values]
        codes[places] = held
    return codes


def _list_code(value: Any) -> int:
    if value is None:
        return Kind.NOTHING
    kinds = set(map(type, value)) - {type(None)}
    if kinds == {int, float}:
        kinds = {float}
    if not kinds:
        return _LIST + Kind.FLOAT
    inner = _ELEMENTS.get(kinds.pop(), Kind.OTHER) if len(kinds) == 1 else Kind.OTHER
    if inner in (Kind.INT, Kind.FLOAT, Kind.TEXT) and not all(map(_fits, value)):
        inner = Kind.OTHER
    return _LIST + inner


def _fits(element: Any) -> bool:
    return element is None or isinstance(element, float) or is_plain(element)


def _column_code(type_: Any) -> int:
    inner = type_.inner
    if inner.is_integer() and inner != pl.UInt64:
        return _LIST + Kind.INT
    kinds = {pl.String: Kind.TEXT, pl.Boolean: Kind.BOOL}
    return _LIST + (Kind.FLOAT if inner.is_float() else kinds.get(inner.base_type(), Kind.OTHER))


def type_for(code: int) -> Any:
    """Return the type for a kind; None for one that an expression cannot read."""
    if code >= _LIST:
        inner = _LISTS.get(Kind(code - _LIST))
        return None if inner is None else pl.List(inner)
    kinds: dict[int, Any] = {
        Kind.NOTHING: pl.Null,
        Kind.BOOL: pl.Boolean,
        Kind.INT: pl.Int64,
        Kind.FLOAT: pl.Float64,
        Kind.TEXT: pl.String,
        Kind.MOMENT: pl.Datetime("us", "UTC"),
        Kind.LOCAL: pl.Datetime("us"),
        Kind.BYTES: pl.Binary,
    }
    return kinds.get(code)


def kind_named(code: int) -> str:
    if code >= _LIST or code == Kind.LIST:
        return "a list of several kinds"
    return (
        "an object: name a field in it by a JSONPath"
        if code == Kind.OBJECT
        else "what an expression cannot read"
    )


def rows_by_signature(codes: Sequence[NDArray[np.int64]], length: int) -> list[Rows]:
    if not codes:
        return [np.arange(length)] if length else []
    signatures, which = np.unique(np.stack(codes), axis=1, return_inverse=True)
    return [np.flatnonzero(which.ravel() == index) for index in range(signatures.shape[1])]


def gathered(values: Values, rows: Rows, type_: Any) -> pl.Series:
    """Return the values of rows that are all of one kind."""
    for group in values.groups:
        if group.rows is None:
            places = rows
        else:
            places = np.searchsorted(group.rows, rows)
            if not len(group.rows) or (places >= len(group.rows)).any() or (group.rows[places] != rows).any():
                continue
        if isinstance(group.values, pl.Series):
            return (
                group.values[places].cast(type_)
                if group.values.null_count() < len(group.values)
                else _nulls(len(rows), type_)
            )
        held = [group.values[place] for place in places.tolist()]
        if any(value is not None for value in held):
            return pl.Series(held, dtype=type_, strict=False)
    return _nulls(len(rows), type_)


def _nulls(length: int, type_: Any) -> pl.Series:
    return pl.Series([None] * length, dtype=type_)
