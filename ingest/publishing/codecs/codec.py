"""What a codec of a column is: it takes values one by one or many, and makes one array of them.

A codec takes a value only where it is surely right, and copies it. For anything else it raises
OddValueError: `ready_row`, the exact path, then decides what the value is, or what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class OddValueError(ValueError):
    """Say that a value, or a row, has to take the exact path."""


class Codec(Protocol):
    """Hold the values of one column until they become an Arrow array. None never comes here as a value."""

    @property
    def width(self) -> int | None:
        """How many bytes each held value takes, or None where that differs."""

    def take(self, value: Any) -> Any:
        """Return a copy of the value in the held form; raise OddValueError where it is not surely right."""

    def take_many(self, values: Any, rows: int) -> Sequence[Any]:
        """Return the values of so many rows in the held form, None where a row has none."""

    def size(self, held: Any) -> int:
        """Return about how many bytes a held value takes."""

    def array(self, held: Sequence[Any]) -> pa.Array:
        """Return held values as an array; None is null."""


def has_rows(values: Any, rows: int) -> bool:
    """Say whether this is a column of so many values."""
    if isinstance(values, np.ndarray):
        return values.ndim > 0 and len(values) == rows
    return isinstance(values, Sequence) and not isinstance(values, str | bytes) and len(values) == rows


def lists(lengths: NDArray[Any], dtype: np.dtype[Any], held: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Return lists of so many elements each, whose bytes are held; None is null."""
    values = np.frombuffer(b"".join(value for value in held if value is not None), dtype)
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    mask = pa.array([value is None for value in held]) if None in held else None
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), type=type_, mask=mask)
