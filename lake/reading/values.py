"""Arrow columns as arrays of fixed width, without a copy where their bytes lie as they are needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.reading.projection import Leaf
from schemas.errors import DataError


def leaf_array(column: pa.Array, leaf: Leaf) -> NDArray[Any]:
    """Return a column as one array of shape (N, *shape); raise DataError for rows of another shape."""
    array = column
    for field in leaf.path:
        array = array.field(field)
    if not array.null_count:
        return _filled(array, leaf)
    if leaf.missing is None:
        raise DataError(
            f"{array.null_count} of {len(array)} rows have no {leaf.name}, and {leaf.dtype} has no value for "
            "that.",
            hint="Leave the column out, or those rows.",
        )
    result = np.full((len(array), *leaf.shape), leaf.missing, leaf.dtype)
    result[np.asarray(array.is_valid())] = _filled(array.drop_null(), leaf)
    return result


def _filled(array: pa.Array, leaf: Leaf) -> NDArray[Any]:
    flat = _flat(array, leaf)
    if len(flat) != len(array) * leaf.size:
        raise DataError(
            f"{len(array)} rows of {leaf.name} have {len(flat)} elements, and {leaf.size} each are expected.",
            hint="Look for the rows by SQL: they did not pass this archive's gate.",
        )
    return flat.astype(leaf.dtype, copy=False).reshape(len(array), *leaf.shape)


def _flat(array: pa.Array, leaf: Leaf) -> NDArray[Any]:
    kind = array.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _bytes_of(array)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        array = array.flatten()
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", "UTC")).view(pa.int64())
        return np.asarray(array).view("datetime64[us]")
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values


def _bytes_of(array: pa.Array) -> NDArray[np.uint8]:
    """Return the bytes of all values, one after another, without a copy."""
    if not len(array):
        return np.empty(0, np.uint8)
    _, offsets, data = array.buffers()
    wide = pa.types.is_large_binary(array.type)
    bounds = np.frombuffer(offsets, np.int64 if wide else np.int32)[array.offset :]
    held: NDArray[np.uint8] = np.frombuffer(data, np.uint8)[bounds[0] : bounds[len(array)]]
    return held
