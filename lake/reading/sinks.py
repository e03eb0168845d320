"""Where rows are put: arrays in memory, or columns of a file that may be larger than memory."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Column:
    """Describe an array to be filled."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    rows: int

    @property
    def width(self) -> int:
        """How many bytes a row has."""
        return math.prod(self.shape) * self.dtype.itemsize


class Sink(Protocol):
    """Take rows in any order; several threads may put different ones at once."""

    def put(self, name: str, start: int, values: NDArray[Any]) -> None:
        """Put rows one after another, from one on."""

    def scatter(self, name: str, rows: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Put each row into its own place."""

    def get(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return rows that were put."""


class MemorySink:
    """Hold arrays in memory."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.arrays: dict[str, NDArray[Any]] = {
            name: np.empty((column.rows, *column.shape), column.dtype) for name, column in columns.items()
        }

    def put(self, name: str, start: int, values: NDArray[Any]) -> None:
        """Put rows one after another, from one on."""
        self.arrays[name][start : start + len(values)] = values

    def scatter(self, name: str, rows: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Put each row into its own place."""
        self.arrays[name][rows] = values

    def get(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return rows that were put, without a copy."""
        return self.arrays[name][start:stop]


class FileSink:
    """Write columns into an open file, each from its own place on, and never map them into memory."""

    def __init__(self, file: BinaryIO, columns: Mapping[str, Column], offsets: Mapping[str, int]) -> None:
        self._file = file
        self._columns = dict(columns)
        self._offsets = dict(offsets)

    def put(self, name: str, start: int, values: NDArray[Any]) -> None:
        """Put rows one after another, from one on."""
        column = self._columns[name]
        held = np.ascontiguousarray(values, column.dtype)
        if held.size:
            write_at(self._file.fileno(), _as_bytes(held), self._offsets[name] + start * column.width)

    def scatter(self, name: str, rows: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Put each row into its own place; those that lie one after another are written at once."""
        order = np.argsort(rows, kind="stable")
        ordered, held = rows[order], values[order]
        begins = np.flatnonzero(np.diff(ordered, prepend=-2) != 1)
        for start, stop in zip(begins, [*begins[1:], len(ordered)], strict=True):
            self.put(name, int(ordered[start]), held[start:stop])

    def get(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return a copy of rows that were put."""
        column = self._columns[name]
        result = np.empty((stop - start, *column.shape), column.dtype)
        if result.size:
            read_at(self._file.fileno(), _as_bytes(result), self._offsets[name] + start * column.width)
        return result


def _as_bytes(values: NDArray[Any]) -> memoryview:
    return values.reshape(-1).view(np.uint8).data


def write_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all bytes from a place of a file on."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def read_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Fill all bytes from a place of a file on; raise EOFError where it is shorter."""
    while data:
        read = os.preadv(descriptor, [data], offset)
        if not read:
            raise EOFError("the file is shorter than its columns")
        data, offset = data[read:], offset + read
