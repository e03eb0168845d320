"""The leaves of a space: what is counted by itself, and how its values are read off Arrow columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Space, Text, Tuple

# A larger box is one thing, such as an image, whose numbers mean nothing by themselves.
MOST_DIMENSIONS = 512
_CHANNELS = 4
Kind = Literal["numbers", "choices", "pixels", "text"]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Leaf:
    """Name a part of a column that holds values of one space, which is no Dict and no Tuple."""

    column: str
    path: tuple[str, ...]  # fields, from the column down
    space: Box | Discrete | MultiDiscrete | MultiBinary | Text | Scalar

    @property
    def name(self) -> str:
        """The leaf's name, such as `observation.camera`."""
        return ".".join((self.column, *self.path))

    @property
    def kind(self) -> Kind:
        """What is counted of it."""
        match self.space:
            case Box(size=size) if size > MOST_DIMENSIONS:
                return "pixels"
            case Discrete() | MultiDiscrete() | MultiBinary():
                return "choices"
            case Text() | Scalar(dtype="string"):
                return "text"
        return "numbers"

    @property
    def dimensions(self) -> int:
        """How many numbers or choices a value has."""
        match self.space:
            case Box(size=size):
                return size
            case MultiDiscrete(nvec=nvec):
                return len(nvec)
            case MultiBinary(shape=shape):
                return int(np.prod(shape))
        return 1

    @property
    def channels(self) -> int:
        """How many channels an image has; 1 where it has none of its own."""
        shape = self.space.shape if isinstance(self.space, Box) else ()
        return shape[-1] if len(shape) == 3 and shape[-1] <= _CHANNELS else 1

    @property
    def choices(self) -> list[range]:
        """The numbers that each component may be."""
        match self.space:
            case Discrete(n=n, start=start):
                return [range(start, start + n)]
            case MultiDiscrete(nvec=nvec, start=start):
                starts = start or (0,) * len(nvec)
                return [range(first, first + count) for first, count in zip(starts, nvec, strict=True)]
            case MultiBinary():
                return [range(2)] * self.dimensions
        return []

    def values(self, column: pa.ChunkedArray) -> tuple[npt.NDArray[Any], Mask | None]:
        """Return a column for each value that is there, and which of its numbers are missing, if any are.

        Values are floats or, of choices and uint8, whole numbers.
        """
        for name in self.path:
            column = pc.struct_field(column, name)
        array = pa.concat_arrays(column.chunks) if column.num_chunks != 1 else column.chunk(0)
        array = array.drop_null()
        if self.kind == "text":
            return pc.utf8_length(array).cast(pa.float64()).to_numpy().reshape(1, -1), None
        if pa.types.is_binary(array.type):
            return _by_dimension(self._bytes(array), self.dimensions), None
        if pa.types.is_list(array.type):
            array = array.filter(pc.equal(pc.list_value_length(array), self.dimensions)).flatten()
        missing = None
        if array.null_count:
            missing = _by_dimension(np.asarray(array.is_null()), self.dimensions)
            array = array.fill_null(0)
        if pa.types.is_timestamp(array.type):
            array = array.view(pa.int64())  # microseconds
        kind = pa.int64() if self.kind == "choices" else pa.float64()
        return _by_dimension(array.cast(kind, safe=False).to_numpy(), self.dimensions), missing

    def _bytes(self, array: pa.Array) -> npt.NDArray[np.uint8]:
        array = array.filter(pc.equal(pc.binary_length(array), self.dimensions))
        held = b"".join(array.to_pylist())
        return np.frombuffer(held, np.uint8)


def _by_dimension(flat: npt.NDArray[Any], dimensions: int) -> npt.NDArray[Any]:
    """Return a row of memory for each dimension of values that lie one after another."""
    return np.ascontiguousarray(flat.reshape(-1, dimensions).T)


def leaves(column: str, space: Space, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Iterate over the leaves of a column."""
    if isinstance(space, Dict | Tuple):
        for name, field in space.fields.items():
            yield from leaves(column, field, (*path, name))
    else:
        yield Leaf(column, path, space)
