"""Columns of numbers, flags, texts, times and masks, whose values are held much as Python has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, final

import numpy as np
import pyarrow as pa

from ingest.publishing.codecs.codec import Codec, OddValueError, has_rows, lists
from schemas.space_values import WrongTypeError, json_text
from schemas.step import TIMESTAMP

_INT64 = 1 << 63
_EXACT_INTEGERS = 1 << 53  # as floats
_SMALL_INTEGERS = frozenset({np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32})
_FLOATS = frozenset({float, np.float64, np.float32, np.float16})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECONDS_BELOW = 1e11  # larger numbers may be milliseconds
_MICROS_BELOW = 250_000_000_000_000_000  # the year 9892


class _Plain:
    """What codecs share whose held values are small, and Arrow's own."""

    width: int | None = 8

    def __init__(self, type_: pa.DataType) -> None:
        self._type = type_

    def take(self, value: Any) -> Any:
        raise NotImplementedError

    def take_many(self, values: Any, rows: int) -> Sequence[Any]:
        if not has_rows(values, rows):
            raise OddValueError
        take = self.take
        return [None if value is None else take(value) for value in values]

    def size(self, held: Any) -> int:
        return 8

    def array(self, held: Sequence[Any]) -> pa.Array:
        return pa.array(held, self._type)


@final
class Integers(_Plain):
    """Whole numbers of 64 bits."""

    def take(self, value: Any) -> int:
        if type(value) is int:
            if -_INT64 <= value < _INT64:
                return value
        elif type(value) in _SMALL_INTEGERS:
            return int(value)
        raise OddValueError

    def take_many(self, values: Any, rows: int) -> Sequence[Any]:
        if _is_column(values, rows) and values.dtype.type in _SMALL_INTEGERS:
            return list(values.tolist())
        return super().take_many(values, rows)


@final
class Floats(_Plain):
    """Numbers, held in double precision until Arrow rounds them to the column's own."""

    def take(self, value: Any) -> float:
        if type(value) is float:
            return value
        kind = type(value)
        if kind in _FLOATS or kind in _SMALL_INTEGERS or (kind is int and abs(value) < _EXACT_INTEGERS):
            return float(value)
        raise OddValueError

    def take_many(self, values: Any, rows: int) -> Sequence[Any]:
        if _is_column(values, rows) and (
            values.dtype.type in _FLOATS or values.dtype.type in _SMALL_INTEGERS
        ):
            return list(values.astype(np.float64).tolist())
        return super().take_many(values, rows)


@final
class Flags(_Plain):
    """True or false."""

    def take(self, value: Any) -> bool:
        if type(value) is bool:
            return value
        if type(value) is np.bool_:
            return bool(value)
        raise OddValueError

    def take_many(self, values: Any, rows: int) -> Sequence[Any]:
        if _is_column(values, rows) and values.dtype == np.bool_:
            return list(values.tolist())
        return super().take_many(values, rows)


@final
class Texts(_Plain):
    """Strings. A column of one string only is written as such."""

    width = None

    def take(self, value: Any) -> str:
        if type(value) is str:
            if value.isascii():
                return value
            try:
                value.encode()
            except UnicodeEncodeError as exc:
                raise OddValueError from exc
            return value
        raise OddValueError

    def size(self, held: str) -> int:
        return len(held)

    def array(self, held: Sequence[Any]) -> pa.Array:
        if held.count(held[0]) == len(held):
            return pa.repeat(pa.scalar(held[0], self._type), len(held))
        return pa.array(held, self._type)


@final
class FreeFields(_Plain):
    """Free fields, held as JSON text."""

    width = None

    def take(self, value: Any) -> str:
        try:
            return json_text(value)
        except WrongTypeError as exc:
            raise OddValueError from exc

    def size(self, held: str) -> int:
        return len(held)


@final
class Moments(_Plain):
    """Times, held in microseconds since 1970: datetimes with a zone, or seconds."""

    def take(self, value: Any) -> int:
        kind = type(value)
        if kind is datetime:
            if value.tzinfo is not None and 0 <= (micros := (value - _EPOCH) // _MICROSECOND) < _MICROS_BELOW:
                return int(micros)
        elif (kind in _FLOATS or kind is int) and 0 <= value < _SECONDS_BELOW:
            return value * 1_000_000 if kind is int else round(float(value) * 1e6)
        raise OddValueError

    def array(self, held: Sequence[Any]) -> pa.Array:
        return pa.array(held, pa.int64()).cast(self._type)


@final
class Masks(_Plain):
    """Lists of true and false, of any length; held as bytes, one each."""

    width = None

    def take(self, value: Any) -> bytes:
        if type(value) is np.ndarray and value.dtype == np.bool_ and value.ndim == 1:
            return value.tobytes()
        raise OddValueError

    def size(self, held: bytes) -> int:
        return len(held)

    def array(self, held: Sequence[Any]) -> pa.Array:
        lengths = np.array([0 if value is None else len(value) for value in held])
        return lists(lengths, np.dtype(np.bool_), held, self._type)


def plain_codec(type_: pa.DataType) -> Codec:
    """Return the codec of a column that is of no space."""
    if pa.types.is_boolean(type_):
        return Flags(type_)
    if pa.types.is_integer(type_):
        return Integers(type_)
    if pa.types.is_floating(type_):
        return Floats(type_)
    if type_.equals(TIMESTAMP):
        return Moments(type_)
    return Masks(type_) if pa.types.is_list(type_) else Texts(type_)


def _is_column(values: Any, rows: int) -> bool:
    return type(values) is np.ndarray and values.shape == (rows,)
