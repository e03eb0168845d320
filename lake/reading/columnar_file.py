"""A file of columns of fixed width in Arrow's own format, which is filled in any order and then mapped."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.reading.sinks import Column, FileSink

_OPTIONS = pa.ipc.IpcWriteOptions(allow_64bit=True)  # more values than 32 bits count


@contextmanager
def create_columns(path: Path, columns: Mapping[str, Column]) -> Iterator[FileSink]:
    """Make the file, whole but with zeros for values, give the sink that fills it, and make it durable.

    All columns have the rows of the longest, for Arrow wants it so; what nobody fills takes no room.
    """
    _write_frame(path, columns)
    with path.open("r+b") as file:
        yield FileSink(file, columns, _offsets(path, columns))
        os.fsync(file.fileno())


@contextmanager
def open_columns(path: Path, columns: Mapping[str, Column]) -> Iterator[FileSink]:
    """Open the file to be read in parts, none of which stays in memory."""
    with path.open("rb") as file:
        yield FileSink(file, columns, _offsets(path, columns))


def map_columns(path: Path, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """Return the columns as arrays over the mapped file; raise ValueError where it has others."""
    batch = _batch(pa.memory_map(str(path)).read_buffer(), columns)
    arrays = {}
    for name, column in columns.items():
        data = _data(batch.column(name))
        count = column.rows * int(np.prod(column.shape, dtype=np.int64))
        arrays[name] = np.frombuffer(data, column.dtype, count).reshape(column.rows, *column.shape)
    return arrays


class _HollowFile:
    """Take what the library writes, but leave holes where values belong."""

    closed = False

    def __init__(self, file: BinaryIO, values: pa.Buffer) -> None:
        self._file = file
        self._start, self._stop = values.address, values.address + values.size

    def write(self, data: Any) -> int:
        if isinstance(data, pa.Buffer) and self._start <= data.address < self._stop:
            self._file.seek(data.size, os.SEEK_CUR)
            return int(data.size)
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """Leave the file open: who opened it closes it."""


def _write_frame(path: Path, columns: Mapping[str, Column]) -> None:
    rows = _rows(columns)
    size = max(rows * column.width for column in columns.values())
    with path.open("w+b") as file:
        file.truncate(max(size, 1))  # a hole that stands for the values of every column
        with mmap.mmap(file.fileno(), max(size, 1), access=mmap.ACCESS_READ) as hole:
            values = pa.py_buffer(hole)
            arrays = [_array(column, rows, values) for column in columns.values()]
            batch = pa.RecordBatch.from_arrays(arrays, names=list(columns))
            hollow = pa.PythonFile(_HollowFile(file, values), mode="w")
            with pa.ipc.new_file(hollow, batch.schema, options=_OPTIONS) as writer:
                writer.write_batch(batch)
            del batch, arrays, values, hollow, writer
        end = file.tell()
        file.truncate(end)


def _array(column: Column, rows: int, values: pa.Buffer) -> pa.Array:
    size = int(np.prod(column.shape, dtype=np.int64))
    flat = pa.Array.from_buffers(_arrow_type(column.dtype), rows * size, [None, values])
    return flat if not column.shape else pa.FixedSizeListArray.from_arrays(flat, size)


def _arrow_type(dtype: np.dtype[Any]) -> pa.DataType:
    if dtype.kind == "M":
        return pa.timestamp("us", "UTC")
    return pa.uint8() if dtype == np.bool_ else pa.from_numpy_dtype(dtype)  # Arrow packs bits


def _rows(columns: Mapping[str, Column]) -> int:
    return max(column.rows for column in columns.values())


def _offsets(path: Path, columns: Mapping[str, Column]) -> dict[str, int]:
    whole = pa.memory_map(str(path)).read_buffer()
    batch = _batch(whole, columns)
    return {name: _data(batch.column(name)).address - whole.address for name in columns}


def _batch(whole: pa.Buffer, columns: Mapping[str, Column]) -> pa.RecordBatch:
    try:
        batch = pa.ipc.open_file(whole).get_batch(0)
    except pa.ArrowException as exc:
        raise ValueError("the file is not one of Arrow's") from exc
    expected = [_array(column, 0, pa.py_buffer(b"")).type for column in columns.values()]
    if batch.schema.names != list(columns) or batch.schema.types != expected:
        raise ValueError("the file has other columns")
    if batch.num_rows != _rows(columns):
        raise ValueError("the file has other rows")
    return batch


def _data(array: pa.Array) -> pa.Buffer:
    return array.buffers()[-1]
