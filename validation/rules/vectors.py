"""Vectors: columns of numbers in lists or bytes, read in place, for masks that judge element by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.errors import SuiteError
from schemas.membership import vector_size
from schemas.spaces import Box, Dict, MultiBinary, MultiDiscrete, Space, Tuple
from validation.columns import ColumnError, Columns, did_you_mean

Numbers = NDArray[Any]
Mask = NDArray[np.bool_]
_BLOCK = 1 << 17  # numbers judged at a time, so that what is computed of them stays in the cache
_SMALL_CHUNK = 4096


class Vector(NamedTuple):
    """Name a column of vectors, or one field of a column of structs."""

    column: str
    field: tuple[str, ...]
    size: int | None  # how many elements each value has, where the spec says so

    @property
    def name(self) -> str:
        """What people call it."""
        return ".".join((self.column, *self.field))

    def of(self, column: str) -> Vector:
        """Name the same field of another column."""
        return self._replace(column=column)


def vector_of(column: str, field: str | None, columns: Columns) -> Vector:
    """Find a column's vectors; raise ColumnError where it, or the field named, holds none."""
    type_, path = columns.type_of(column), tuple(field.split(".")) if field else ()
    space: Space | None = columns.space_of(column) if columns.spec is not None else None
    for place, name in enumerate(path):
        if not pa.types.is_struct(type_) or type_.get_field_index(name) < 0:
            known = [held.name for held in type_] if pa.types.is_struct(type_) else []
            where = ".".join((column, *path[:place]))
            raise ColumnError(
                f"{where} has no field {name!r}.",
                hint=did_you_mean(name, known) if known else "Leave it out.",
            )
        type_ = type_.field(name).type
        space = space.fields.get(name) if isinstance(space, Dict | Tuple) else None
    named = ".".join((column, *path))
    if pa.types.is_struct(type_):
        fields = ", ".join(held.name for held in type_)
        raise ColumnError(f"{named} has fields.", hint=f"Name one with `field`: {fields}.")
    if not _holds_vectors(type_):
        hint = "For single numbers there is expect_column_values_to_be_between."
        raise ColumnError(f"{named} is a column of {type_}, not of vectors of numbers.", hint=hint)
    sized = isinstance(space, Box | MultiDiscrete | MultiBinary)
    return Vector(column, path, vector_size(space) if sized else None)  # type: ignore[arg-type]


def bounds(
    name: str, one: float | None, each: Sequence[float | None] | None, vector: Vector
) -> Numbers | None:
    """Read a bound for all elements or one for each, NaN where it is open; None where there is none."""
    if one is not None and each is not None:
        raise SuiteError(f"{name} and {name}s are both given.", hint="Give one of them.")
    if each is None:
        return None if one is None else _plain(name, [one])
    if vector.size is not None and len(each) != vector.size:
        raise SuiteError(
            f"{name}s has {len(each)} values, and {vector.name} has {vector.size}.",
            hint="Give one for each element, null where it is open.",
        )
    if not each or all(bound is None for bound in each):
        raise SuiteError(f"{name}s has no bounds.", hint="Leave it out.")
    return _plain(f"{name}s", each)


def check_order(low: Numbers | None, high: Numbers | None) -> None:
    """Raise SuiteError where there are no bounds, or none that a number could meet."""
    if low is None and high is None:
        raise SuiteError("There are no bounds.", hint="Give min_value, max_value, min_values or max_values.")
    if low is None or high is None:
        return
    if len(low) > 1 and len(high) > 1 and len(low) != len(high):
        raise SuiteError(
            f"min_values has {len(low)} values and max_values {len(high)}.", hint="Give as many."
        )
    crossed = np.flatnonzero(low > high)
    if len(crossed):
        place = crossed[0]
        least, most = np.broadcast_arrays(low, high)
        raise SuiteError(
            f"The least, {least[place]}, is above the greatest, {most[place]}, for element {place}.",
            hint="Swap them.",
        )


def judge_blocks(judge: Callable[..., Mask], *columns: pa.ChunkedArray) -> Mask:
    """Judge the rows of columns of vectors by the `Held` of each, block by block."""
    held = pa.table(list(columns), [str(place) for place in range(len(columns))])
    chunks = columns[0].num_chunks
    if chunks > 1 and held.num_rows < _SMALL_CHUNK * chunks:
        held = held.combine_chunks()
    size = max(1, _BLOCK // max(1, _width(columns[0])))
    batches = [batch for batch in held.to_batches(max_chunksize=size) if batch.num_rows]
    parts = [judge(*(read(column) for column in batch.columns)) for batch in batches]
    return np.concatenate(parts) if parts else np.ones(0, np.bool_)


def field_of(rows: pa.Table, vector: Vector) -> pa.ChunkedArray:
    """Return the vectors of rows; null where a struct around them is."""
    held = rows[vector.column]
    for name in vector.field:
        held = pc.struct_field(held, name)
    return held


def held_expression(vector: Vector) -> pl.Expr:
    """Refer to the vectors in a rule's expression."""
    held = pl.col(vector.column)
    for name in vector.field:
        held = held.struct.field(name)
    return held


def rows_of(places: NDArray[np.intp], offsets: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    """Find the rows that these elements are of."""
    return np.searchsorted(offsets, places, side="right") - 1


class Held(NamedTuple):
    """Hold the vectors of some rows: all their numbers one after another, and where each row begins."""

    valid: Mask  # no null
    offsets: NDArray[np.integer[Any]]
    numbers: Numbers  # NaN for a null of floats, 0 for one of integers

    @property
    def lengths(self) -> NDArray[np.integer[Any]]:
        """The number of elements of each row."""
        return np.diff(self.offsets)

    def whole(self, size: int) -> tuple[Mask, Numbers]:
        """Say which rows have `size` elements, and give these as a matrix."""
        whole = self.valid & (self.lengths == size)
        if whole.all():
            return whole, self.numbers.reshape(len(whole), size)
        places = self.offsets[:-1][whole][:, None] + np.arange(size)
        return whole, self.numbers[places] if size else np.empty((int(whole.sum()), 0))


def read(array: pa.Array) -> Held:
    """Read an array of lists, or of bytes, in place."""
    valid = np.asarray(array.is_valid()) if array.null_count else np.ones(len(array), np.bool_)
    if pa.types.is_fixed_size_list(array.type):
        array = array.cast(pa.large_list(array.type.value_type))
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        _, starts, data = array.buffers()
        width = np.int64 if pa.types.is_large_binary(array.type) else np.int32
        bounds = np.frombuffer(starts, width)[array.offset : array.offset + len(array) + 1]
        numbers: Numbers = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
        return Held(valid, bounds - bounds[0], numbers[bounds[0] : bounds[-1]])
    offsets = array.offsets.to_numpy()
    values = array.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    if values.null_count:
        values = values.fill_null(float("nan") if pa.types.is_floating(values.type) else 0)
    return Held(valid, offsets - offsets[0], values.to_numpy(zero_copy_only=False))


def _width(column: pa.ChunkedArray) -> int:
    """Return how long the first vector is: a guess at all."""
    first = next((value for value in column.slice(0, 8) if value.is_valid), None)
    return len(first.as_py()) if first is not None else 1


def _plain(name: str, given: Sequence[float | None]) -> Numbers:
    bounds = np.array([np.nan if bound is None else bound for bound in given], np.float64)
    if any(bound is not None and np.isnan(bound) for bound in given):
        raise SuiteError(f"{name} has a NaN.", hint="Write null where it is open.")
    return bounds


def _holds_vectors(type_: pa.DataType) -> bool:
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
        return True
    if not (pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)):
        return False
    held = type_.value_type
    return bool(pa.types.is_integer(held) or pa.types.is_floating(held) or pa.types.is_boolean(held))
