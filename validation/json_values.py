"""Values of JSON beside those of a column: what a text, a number or a boolean of a suite is among them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from validation.columns import is_number, is_text, is_time

LONGEST = 2**63


class NeverEqualError(ValueError):
    """Report a JSON value that no value of a column's type equals."""


def comparable(value: Any, type_: pa.DataType) -> Any:
    """Return what a value of JSON is among the values of a column; raise NeverEqualError for none of them.

    A whole number becomes an integer where the column has integers, for a float64 is exact up to 2**53 only.
    A time without an offset is UTC, unless the column's times have no zone either.
    """
    if is_time(type_):
        return time_value(value, type_)
    if is_text(type_):
        if isinstance(value, str):
            return value
    elif pa.types.is_boolean(type_):
        if isinstance(value, bool | int | float) and value in (0, 1):
            return bool(value)
    elif is_number(type_) and isinstance(value, int | float) and not math.isnan(value):
        if pa.types.is_floating(type_):
            return float(value)
        if abs(value) < 2 * LONGEST and float(value).is_integer():
            return int(value)
    raise NeverEqualError


def column_of(values: list[Any], type_: pa.DataType) -> pl.Series:
    """Make a series of the column's own type of those values that are among its values."""
    held = []
    for value in values:
        try:
            held.append(pa.scalar(comparable(value, type_), type_))
        except (NeverEqualError, pa.ArrowInvalid, OverflowError):  # a 300 among uint8, for one
            continue
    return pl.Series(pa.array([scalar.as_py() for scalar in held], type_))


def time_value(value: Any, type_: pa.DataType) -> datetime | date:
    """Read a text of ISO 8601; raise NeverEqualError for what is none, or has a zone and the column none."""
    if not isinstance(value, str):
        raise NeverEqualError
    try:
        time = datetime.fromisoformat(value)
    except ValueError as exc:
        raise NeverEqualError from exc
    if pa.types.is_date(type_):
        whole = time.tzinfo is None and time == datetime.combine(time.date(), datetime.min.time())
        return time.date() if whole else time
    if type_.tz is None and time.tzinfo is not None:
        raise NeverEqualError
    if type_.tz is None:
        return time
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    # Polars compares times of one zone only.
    return time if type_.tz == "UTC" else time.astimezone(ZoneInfo(type_.tz))


def kind_of(type_: pa.DataType) -> str:
    """Name a column's type for people."""
    if is_text(type_):
        return "text"
    return "true or false" if pa.types.is_boolean(type_) else f"a column of {type_}"
