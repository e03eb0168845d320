"""Words for people: which value of a rejected row was wrong, in one line.

Only rows that failed come here, so loops over rows are in place; no text grows with its value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.membership import Limits, limits, vector_size
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Text, Tuple

_SHOWN = 80  # characters of a value; a longer one is cut
_Leaf = Callable[[Any, str, Any], str]


def show(value: object) -> str:
    """Write a value short: a text in quotes, and the beginning of a long one."""
    text = repr(value[: _SHOWN + 1]) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def each(column: pa.ChunkedArray) -> list[str]:
    """Write each value of a plain column; a float32 as short as it is."""
    floats = pa.types.is_floating(column.type) and not column.null_count
    return [show(value) for value in (column.to_numpy() if floats else column.to_pylist())]


def wrong_shape(space: Space, name: str, column: pa.ChunkedArray) -> list[str]:
    """Say for each row how its value misses the shape of the space."""
    return [_first(space, name, value, _shape) or f"{name} has the wrong shape" for value in column]


def not_finite(space: Space | None, name: str, column: pa.ChunkedArray) -> list[str]:
    """Say for each row which number is no finite one."""
    if space is None:
        return [f"{name} is {value}, not a finite number" for value in each(column)]
    return [_first(space, name, value, _finite) or f"{name} is not finite" for value in column]


def out_of_space(space: Space, name: str, column: pa.ChunkedArray) -> list[str]:
    """Say for each row which number lies outside which bounds."""
    return [_first(space, name, value, _outside) or f"{name} is outside its space" for value in column]


def _first(space: Space, name: str, value: Any, leaf: _Leaf) -> str:
    """Describe the first thing wrong in a value, field by field; nothing wrong is an empty text."""
    if not value.is_valid:
        return f"{name} is null" if leaf is _shape else ""
    if isinstance(space, Dict | Tuple):
        found = (
            _first(inner, f"{name}.{field}", value[field], leaf) for field, inner in space.fields.items()
        )
        return next(filter(None, found), "")
    return leaf(space, name, value)


def _shape(space: Any, name: str, value: Any) -> str:
    if not isinstance(space, Box | MultiDiscrete | MultiBinary):
        return ""
    held, wanted = _elements(value), vector_size(space)
    if len(held) != wanted:
        return f"{name} has {len(held)} value{'s' if len(held) != 1 else ''}, not {wanted}"
    if not held.null_count:
        return ""
    return f"{name}[{np.flatnonzero(np.asarray(held.is_null()))[0]}] is null"


def _finite(_: Any, name: str, value: Any) -> str:
    numbers = np.asarray(_numbers(value))
    if numbers.dtype.kind != "f":
        return ""
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if not len(wrong):
        return ""
    return f"{_element(name, numbers, wrong[0])} is {numbers.flat[wrong[0]]}, not a finite number"


def _outside(space: Any, name: str, value: Any) -> str:
    if isinstance(space, Text):
        length = len(value.as_py())
        short = f"{name} has {length} characters"
        inside = space.min_length <= length <= space.max_length
        return "" if inside else f"{short}, outside {space.min_length} to {space.max_length}"
    if not isinstance(space, Box | Discrete | MultiDiscrete | MultiBinary):
        return ""
    numbers = np.atleast_1d(_numbers(value))
    within: Limits | None = limits(space, numbers.dtype)
    if within is None or len(numbers) != len(within.low):
        return ""
    wrong = np.flatnonzero((numbers < within.low) | (numbers > within.high))
    if not len(wrong):
        return ""
    place = wrong[0]
    bounds = f"{within.low[place]!s} to {within.high[place]!s}"  # as short as a float32 is
    one = isinstance(space, Discrete)
    return f"{name if one else f'{name}[{place}]'} is {numbers[place]!s}, outside {bounds}"


def _element(name: str, numbers: np.ndarray[Any, Any], place: int) -> str:
    return f"{name}[{place}]" if numbers.ndim else name


def _elements(value: Any) -> Any:
    if pa.types.is_binary(value.type) or pa.types.is_large_binary(value.type):
        return pa.array(np.frombuffer(value.as_buffer(), np.uint8))
    return value.values


def _numbers(value: Any) -> Any:
    """Give the numbers of a list or of bytes as an array, of a plain value as itself."""
    if pa.types.is_primitive(value.type):
        return np.asarray(value.as_py())
    if not (hasattr(value, "values") or pa.types.is_binary(value.type)):
        return np.asarray(0)
    held = _elements(value)
    if held.null_count:
        held = held.fill_null(pa.scalar(0).cast(held.type))
    numbers = held.to_numpy(zero_copy_only=False)
    return numbers.view(np.uint8) if numbers.dtype == np.bool_ else numbers
