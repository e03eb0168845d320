"""Columns of spaces: arrays held as bytes, and structs of those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.publishing.codecs.codec import Codec, OddValueError, has_rows, lists
from ingest.publishing.codecs.plain import Integers, Texts, plain_codec
from schemas.membership import vector_size
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Space, Text, Tuple


@final
class Vectors:
    """Arrays of one size: held as bytes, row-major, in the column's own dtype."""

    def __init__(self, size: int, dtype: str, type_: pa.DataType, *, from_bool: bool) -> None:
        self._size = size
        self._dtype = np.dtype(dtype)
        self._type = type_
        self._from_bool = from_bool
        self._in_bytes = pa.types.is_binary(type_)
        self.width = size * self._dtype.itemsize

    def take(self, value: Any) -> bytes:
        """Return the array's bytes."""
        if type(value) is not np.ndarray:
            if not isinstance(value, np.generic):
                raise OddValueError
            value = np.asarray(value)
        if value.size != self._size:
            raise OddValueError
        if value.dtype is not self._dtype:
            value = self._cast(value)
        return bytes(value.tobytes())

    def take_many(self, values: Any, rows: int) -> Sequence[Any]:
        """Cut one array of all rows; or take one row after the other."""
        if type(values) is not np.ndarray:
            if not has_rows(values, rows):
                raise OddValueError
            return [None if value is None else self.take(value) for value in values]
        if not has_rows(values, rows) or values.size != rows * self._size:
            raise OddValueError
        joined = self._cast(values).tobytes()
        return [joined[start : start + self.width] for start in range(0, rows * self.width, self.width)]

    def size(self, held: bytes) -> int:
        """Return the number of bytes."""
        return len(held)

    def array(self, held: Sequence[Any]) -> pa.Array:
        """Put the values one after another."""
        if self._in_bytes:
            return pa.array(held, self._type)
        lengths = np.full(len(held), self._size)
        if None in held:
            lengths[[value is None for value in held]] = 0
        return lists(lengths, self._dtype, held, self._type)

    def _cast(self, value: NDArray[Any]) -> NDArray[Any]:
        """Bring an array to the dtype, where that changes no value but a float's precision."""
        given = value.dtype
        if given == self._dtype:
            return value
        both_floats = given.kind == self._dtype.kind == "f" and given.itemsize <= 8
        safe = np.can_cast(given, self._dtype, "safe") and (given.kind != "b" or self._from_bool)
        if not both_floats and not safe:
            raise OddValueError
        with np.errstate(over="ignore"):
            return value.astype(self._dtype)


@final
class Structs:
    """Values of a Dict or a Tuple: held as a tuple of their fields' held values, none of them None."""

    def __init__(self, space: Dict | Tuple) -> None:
        self._names = tuple(space.fields)
        self._ordered = isinstance(space, Tuple)
        self._codecs = tuple(codec_of(inner) for inner in space.fields.values())
        self._fields = list(space.arrow_type)
        widths = [codec.width for codec in self._codecs]
        self.width = None if None in widths else sum(width or 0 for width in widths)

    def take(self, value: Any) -> tuple[Any, ...]:
        """Return the held values of the fields."""
        parts = self._parts(value)
        if any(part is None for part in parts):
            raise OddValueError
        return tuple(codec.take(part) for codec, part in zip(self._codecs, parts, strict=True))

    def take_many(self, values: Any, rows: int) -> Sequence[Any]:
        """Take a mapping of columns, or a sequence with one value a row."""
        if not isinstance(values, Mapping):
            if not has_rows(values, rows):
                raise OddValueError
            return [None if value is None else self.take(value) for value in values]
        parts = self._parts(values)
        columns = [codec.take_many(part, rows) for codec, part in zip(self._codecs, parts, strict=True)]
        if any(None in column for column in columns):
            raise OddValueError
        return list(zip(*columns, strict=True))

    def size(self, held: tuple[Any, ...]) -> int:
        """Add the fields up."""
        return sum(codec.size(value) for codec, value in zip(self._codecs, held, strict=True))

    def array(self, held: Sequence[Any]) -> pa.Array:
        """Build field by field."""
        children = [
            codec.array([None if value is None else value[place] for value in held])
            for place, codec in enumerate(self._codecs)
        ]
        mask = pa.array([value is None for value in held]) if None in held else None
        return pa.StructArray.from_arrays(children, fields=self._fields, mask=mask)

    def _parts(self, value: Any) -> Sequence[Any]:
        if isinstance(value, Mapping):
            if len(value) == len(self._names) and all(name in value for name in self._names):
                return [value[name] for name in self._names]
        elif self._ordered and isinstance(value, list | tuple) and len(value) == len(self._names):
            return value
        raise OddValueError


def codec_of(space: Space) -> Codec:
    """Return the codec of a space's column."""
    match space:
        case Discrete():
            return Integers(pa.int64())
        case Text():
            return Texts(pa.string())
        case Scalar():
            return plain_codec(space.arrow_type)
        case Dict() | Tuple():
            return Structs(space)
        case Box(dtype="uint8"):
            return Vectors(space.size, "uint8", space.arrow_type, from_bool=False)
        case Box() | MultiDiscrete() | MultiBinary():
            dtype = np.dtype(space.arrow_type.value_type.to_pandas_dtype()).name
            return Vectors(
                vector_size(space), dtype, space.arrow_type, from_bool=isinstance(space, MultiBinary)
            )
