"""When a step happened: what is read as a time, many at once or one by one.

On the wire a time is ISO 8601 with a zone, or epoch seconds or milliseconds. A time without a zone is
refused, since nobody knows which one was meant.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.step import TIMESTAMP

# Larger numbers are milliseconds, smaller ones seconds: 1e11 s is the year 5138, 1e11 ms is 1973.
_MILLISECONDS_FROM = 1e11
_MICROS = {"s": Fraction(1_000_000), "ms": Fraction(1_000), "us": Fraction(1), "ns": Fraction(1, 1_000)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What Python and SQL can show: the years 1 to 9999, in microseconds.
_EARLIEST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


class TimeError(ValueError):
    """Say why a value is not a time."""


def epoch_ms(time: datetime) -> int:
    """Return the first whole millisecond of the epoch that is not before the time."""
    return -((_EPOCH - time) // timedelta(milliseconds=1))


def event_times(array: pa.Array) -> pa.Array:
    """Read a column of times; raise TimeError or ArrowInvalid unless every value is one."""
    source = array.type
    if pa.types.is_null(source):
        return pa.nulls(len(array), TIMESTAMP)
    if pa.types.is_timestamp(source):
        if source.tz is None:
            raise TimeError("the times have no zone")
        return _from_ticks(array)
    if pa.types.is_string(source) or pa.types.is_large_string(source) or pa.types.is_string_view(source):
        return _from_ticks(array.cast(pa.string()).cast(TIMESTAMP))
    if pa.types.is_integer(source) or pa.types.is_floating(source):
        return _from_epoch(array)
    raise TimeError("ISO 8601, epoch seconds or milliseconds are expected")


def _from_ticks(array: pa.Array) -> pa.Array:
    """Bring times of any unit to microseconds; what is finer is cut."""
    unit = array.type.unit
    ticks = array.view(pa.int64())
    bounds = pc.min_max(ticks)
    if bounds["min"].is_valid:
        for tick in (bounds["min"].as_py(), bounds["max"].as_py()):
            if not _EARLIEST <= tick * _MICROS[unit] <= _LATEST:
                raise TimeError("a time is outside the years 1 to 9999")
    if unit == "ns":  # to the earlier microsecond, also before 1970
        whole = np.floor_divide(ticks.fill_null(0).to_numpy(), 1_000)
        return pa.array(whole, pa.int64(), mask=np.asarray(array.is_null())).cast(TIMESTAMP)
    return array if array.type.equals(TIMESTAMP) else array.cast(TIMESTAMP)


def _from_epoch(array: pa.Array) -> pa.Array:
    missing = np.asarray(array.is_null())
    numbers = array.fill_null(0)
    micros: np.ndarray[Any, np.dtype[np.int64]]
    if pa.types.is_integer(array.type):
        whole = numbers.cast(pa.int64()).to_numpy()
        small = np.clip(whole, -(10**15), 10**15)  # what is cut here is out of range below
        micros = np.where(np.abs(small) >= _MILLISECONDS_FROM, small * 1_000, small * 1_000_000)
    else:
        floats = numbers.cast(pa.float64()).to_numpy()
        if not np.isfinite(floats).all():
            raise TimeError("a time is not a finite number")
        small = np.clip(floats, -1e15, 1e15)
        scaled = small * np.where(np.abs(small) >= _MILLISECONDS_FROM, 1e3, 1e6)
        micros = np.round(scaled).astype(np.int64)
    if ((micros < _EARLIEST) | (micros > _LATEST)).any():
        raise TimeError("a time is outside the years 1 to 9999")
    return pa.array(micros, pa.int64(), mask=missing).cast(TIMESTAMP)


def event_time(value: object) -> datetime:
    """Read one time; raise TimeError where it is none."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif not isinstance(value, datetime):
            moment: datetime = event_times(pa.array([value]))[0].as_py()
            return moment
        if value.tzinfo is None:
            raise TimeError("a time with its zone is expected")
        return datetime.astimezone(value, UTC)
    except (ValueError, OverflowError, pa.ArrowException) as exc:
        if isinstance(exc, TimeError):
            raise
        raise TimeError("ISO 8601, epoch seconds or milliseconds are expected") from exc
