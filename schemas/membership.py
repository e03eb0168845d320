"""Masks that say, row by row, whether an Arrow column lies in a space: by shape, finiteness and bounds.

Each mask answers one question and says True where another one has to answer: a null row is True
everywhere, NaN is not out of bounds, and a row of the wrong shape is neither. Arrays have the space's own
Arrow type (or its form with 64-bit offsets), sliced or chunked as they come. The numbers of lists are
read in place; they are copied only where rows of a wrong length stand between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Space, Text, Tuple

Mask = NDArray[np.bool_]
Numbers = NDArray[Any]
_Judge = Callable[[Any, Any], Mask]

_BLOCK = 1 << 15  # numbers compared at a time: they and their bounds stay in the processor's cache
_SMALL_CHUNK = 4096  # chunks of fewer rows are put together first: each costs some 30 microseconds


class Limits(NamedTuple):
    """The least and the greatest number for each element, in row-major order, in the column's dtype."""

    low: Numbers  # (size,)
    high: Numbers  # (size,)


def shape_mask(space: Space, array: pa.Array | pa.ChunkedArray) -> Mask:
    """Say which rows have the space's shape: the number of elements or bytes, and no null inside."""
    return _by_chunk(_shape, space, array)


def finite_mask(space: Space, array: pa.Array | pa.ChunkedArray) -> Mask:
    """Say which rows hold neither NaN nor infinity, whatever their length."""
    return _by_chunk(_finite, space, array)


def bounds_mask(space: Space, array: pa.Array | pa.ChunkedArray) -> Mask:
    """Say which rows lie inside the space's bounds.

    A bound is rounded to the column's dtype first, so that a float32 may equal its bound of 4.8. For
    integers the range of the space's dtype is a bound too, where the column's type is wider.
    """
    return _by_chunk(_bounds, space, array)


def has_shape(space: Space) -> bool:
    """Say whether a value of the space's Arrow type can have the wrong shape."""
    return isinstance(space, Box | MultiDiscrete | MultiBinary | Dict | Tuple)


def has_floats(space: Space) -> bool:
    """Say whether a value can be NaN or infinite."""
    if isinstance(space, Dict | Tuple):
        return any(has_floats(inner) for inner in space.fields.values())
    return isinstance(space, Box | Scalar) and space.dtype.startswith("float")


def has_bounds(space: Space) -> bool:
    """Say whether a value of the space's Arrow type can lie outside the space."""
    if isinstance(space, Dict | Tuple):
        return any(has_bounds(inner) for inner in space.fields.values())
    if isinstance(space, Scalar):
        return False
    if isinstance(space, Box):
        held = space.arrow_type.value_type if pa.types.is_list(space.arrow_type) else pa.uint8()
        return limits(space, np.dtype(held.to_pandas_dtype())) is not None
    return True


def vector_size(space: Box | MultiDiscrete | MultiBinary) -> int:
    """Return how many elements a value has."""
    return len(space.nvec) if isinstance(space, MultiDiscrete) else math.prod(space.shape)


def limits(space: Box | MultiDiscrete | MultiBinary | Discrete, dtype: np.dtype[Any]) -> Limits | None:
    """Return the bounds in the dtype of the column, or None where its every number lies inside."""
    if isinstance(space, Discrete | MultiDiscrete):
        counts, starts = _counts(space)
        return Limits(starts, starts + counts - 1)
    size = vector_size(space)
    if isinstance(space, MultiBinary):
        return Limits(np.zeros(size, dtype), np.ones(size, dtype))
    low, high = np.full(size, space.low, np.float64), np.full(size, space.high, np.float64)
    if space.dtype.startswith("float"):
        if np.isneginf(low).all() and np.isposinf(high).all():
            return None
        with np.errstate(over="ignore"):
            rounded = (bound.astype(space.dtype).astype(dtype) for bound in (low, high))
            return Limits(*rounded)
    least, greatest = _integers(space.dtype)
    lowest, highest = _whole(np.ceil(low), least, greatest), _whole(np.floor(high), least, greatest)
    stored = _integers(dtype.name)
    if (lowest <= stored[0]).all() and (highest >= stored[1]).all():
        return None
    return Limits(lowest.astype(dtype), highest.astype(dtype))


def _by_chunk(judge: _Judge, space: Space, array: pa.Array | pa.ChunkedArray) -> Mask:
    chunks = [array]
    if isinstance(array, pa.ChunkedArray):
        small = array.num_chunks > 1 and len(array) < _SMALL_CHUNK * array.num_chunks
        chunks = [array.combine_chunks()] if small else array.chunks
    masks = [_judged(judge, space, chunk) for chunk in chunks if len(chunk)]
    if not masks:
        return np.ones(0, np.bool_)
    return masks[0] if len(masks) == 1 else np.concatenate(masks)


def _judged(judge: _Judge, space: Space, array: pa.Array) -> Mask:
    mask: Mask = judge(space, array)
    if array.null_count:
        mask |= _flags(array.is_null())
    return mask


def _shape(space: Space, array: pa.Array) -> Mask:
    if isinstance(space, Dict | Tuple):
        mask = np.ones(len(array), np.bool_)
        for name, inner in space.fields.items():
            field = array.field(name)
            mask &= _shape(inner, field)
            if field.null_count:
                mask &= _flags(field.is_valid())
        return mask
    if isinstance(space, Box | MultiDiscrete | MultiBinary):
        offsets, values = _lists(array)
        mask = np.equal(np.diff(offsets), vector_size(space))
        if values.null_count:
            mask[_rows_of(np.flatnonzero(_flags(values.is_null())), offsets)] = False
        return mask
    return np.ones(len(array), np.bool_)


def _finite(space: Space, array: pa.Array) -> Mask:
    mask = np.ones(len(array), np.bool_)
    if isinstance(space, Dict | Tuple):
        for name, inner in space.fields.items():
            mask &= _judged(_finite, inner, array.field(name))
    elif pa.types.is_floating(array.type):
        np.isfinite(_numbers(array), out=mask)
    elif isinstance(space, Box) and space.dtype.startswith("float"):
        offsets, values = _lists(array)
        finite = np.isfinite(_numbers(values))
        if not finite.all():
            mask[_rows_of(np.flatnonzero(~finite), offsets)] = False
    return mask


def _bounds(space: Space, array: pa.Array) -> Mask:
    mask = np.ones(len(array), np.bool_)
    if isinstance(space, Dict | Tuple):
        for name, inner in space.fields.items():
            mask &= _judged(_bounds, inner, array.field(name))
    elif isinstance(space, Text):
        lengths = _numbers(pc.utf8_length(array))
        np.logical_and(lengths >= space.min_length, lengths <= space.max_length, out=mask)
    elif isinstance(space, Discrete):
        numbers = _numbers(array)
        np.logical_and(numbers >= space.start, numbers <= space.start + space.n - 1, out=mask)
    elif isinstance(space, Box | MultiDiscrete | MultiBinary):
        size = vector_size(space)
        whole, values = _whole_rows(array, size)
        numbers = _numbers(values)
        within = limits(space, numbers.dtype)
        if within is not None:
            outside = _places_outside(numbers, within)
            if values.null_count:
                outside = outside[_flags(values.is_valid())[outside]]
            mask[np.flatnonzero(whole)[outside // size]] = False
    return mask


def _places_outside(numbers: Numbers, within: Limits) -> NDArray[np.intp]:
    size = len(within.low)
    repeats = max(1, min(_BLOCK, len(numbers)) // size)
    low, high = np.tile(within.low, repeats), np.tile(within.high, repeats)
    found = []
    for start in range(0, len(numbers), repeats * size):
        block = numbers[start : start + repeats * size]
        outside = (block < low[: len(block)]) | (block > high[: len(block)])
        if outside.any():
            found.append(np.flatnonzero(outside) + start)
    return np.concatenate(found) if found else np.empty(0, np.intp)


def _whole_rows(array: pa.Array, size: int) -> tuple[Mask, pa.Array]:
    """Say which rows have `size` elements, and give the elements of these rows one after another."""
    offsets, values = _lists(array)
    whole = np.diff(offsets) == size
    if array.null_count:
        whole &= _flags(array.is_valid())
    if len(values) != size * np.count_nonzero(whole):
        _, values = _lists(array.filter(pa.array(whole)))
    return whole, values


def _lists(array: pa.Array) -> tuple[NDArray[np.integer[Any]], pa.Array]:
    """Give where each row begins in the elements, from 0, and the elements; of bytes, the single bytes."""
    if not hasattr(array, "offsets"):
        array = _bytes_as_lists(array)
    offsets = array.offsets.to_numpy()
    first, last = int(offsets[0]), int(offsets[-1])
    return (offsets - first if first else offsets), array.values.slice(first, last - first)


def _bytes_as_lists(array: pa.Array) -> pa.Array:
    valid, offsets, data = array.buffers()
    wide = pa.types.is_large_binary(array.type)
    held = pa.Array.from_buffers(pa.uint8(), data.size if data else 0, [None, data or pa.py_buffer(b"")])
    type_ = pa.large_list(pa.uint8()) if wide else pa.list_(pa.uint8())
    return pa.Array.from_buffers(type_, len(array), [valid, offsets], offset=array.offset, children=[held])


def _counts(space: Discrete | MultiDiscrete) -> tuple[Numbers, Numbers]:
    """Give how many numbers each element may be, and from which on."""
    if isinstance(space, Discrete):
        return np.array([space.n]), np.array([space.start])
    starts = space.start or (0,) * len(space.nvec)
    return np.array(space.nvec), np.array(starts)


def _rows_of(places: NDArray[np.intp], offsets: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    return np.searchsorted(offsets, places, side="right") - 1


def _numbers(values: pa.Array) -> Numbers:
    """Give the values as numbers, in place where there are no nulls; a null is 0, a bool 0 or 1."""
    if values.null_count:
        values = values.fill_null(pa.scalar(0).cast(values.type))
    numbers: Numbers = values.to_numpy(zero_copy_only=False)
    return numbers.view(np.uint8) if numbers.dtype == np.bool_ else numbers


def _flags(values: pa.Array) -> Mask:
    flags: Mask = values.to_numpy(zero_copy_only=False)
    return flags


def _integers(dtype: str) -> tuple[int, int]:
    if dtype == "bool":
        return 0, 1
    information = np.iinfo(dtype)
    return int(information.min), int(information.max)


def _whole(bounds: NDArray[np.float64], least: int, greatest: int) -> NDArray[np.int64]:
    """Turn whole bounds into integers; what lies beyond the dtype is its end (2**63 - 1 is no float64)."""
    whole = np.full(bounds.shape, greatest, np.int64)
    fits = bounds < float(greatest)
    whole[fits] = np.maximum(bounds[fits], float(least)).astype(np.int64)
    return whole
