"""Numbers of arrays straight from the pages of a Parquet file, where they lie as they are needed.

Arrow builds a list for each row, of which a reader of arrays has no use: that is most of its time. Here the
values of a page are taken as one array, and only where that is surely right: no dictionary, no null, as many
values as rows of the shape have. Whatever else there is raises `NotPlainError`, and is left to Arrow. A page
that has another checksum than its header says raises OSError.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lake.reading.projection import Leaf

_DTYPES = {"FLOAT": "<f4", "DOUBLE": "<f8", "INT32": "<i4", "INT64": "<i8", "BYTE_ARRAY": "|u1"}
_CODECS = {"ZSTD": "zstd", "SNAPPY": "snappy"}
_PLAIN, _RLE, _SPLIT = 0, 3, 9
_NAMES = {_PLAIN: "PLAIN", _RLE: "RLE", _SPLIT: "BYTE_STREAM_SPLIT"}
_DATA, _DATA_V2 = 0, 3  # kinds of pages
_CHECKSUM = 4  # the field of a page's header
_WINDOW = 4 << 20
_HEADER = 1 << 15  # bytes, at most: bounds of texts are in it
_LENGTH = 4  # bytes before each value of unequal length


class NotPlainError(Exception):
    """Say that pages hold more than plain values."""


def plain_values(
    file: pa.NativeFile, metadata: pq.FileMetaData, group: int, index: int, leaf: Leaf
) -> Iterator[NDArray[Any]]:
    """Iterate over the values of a column of a row group, page by page, flat: those of whole rows each."""
    chunk = metadata.row_group(group).column(index)
    column = metadata.schema.column(index)
    if (
        chunk.physical_type not in _DTYPES
        or chunk.has_dictionary_page
        or not set(chunk.encodings) <= set(_NAMES.values())
        or chunk.compression not in (*_CODECS, "UNCOMPRESSED")
        or chunk.num_values != metadata.row_group(group).num_rows * _values_of(chunk, leaf)
    ):
        raise NotPlainError
    levels = int(column.max_repetition_level > 0) + int(column.max_definition_level > 0)
    window = _Window(file, chunk.data_page_offset, chunk.total_compressed_size)
    found = 0
    while found < chunk.num_values:
        count, encoding, body = _next_page(window, chunk.compression, levels, chunk.total_uncompressed_size)
        found += count
        is_whole = count > 0 and count % _values_of(chunk, leaf) == 0  # which other writers do not promise
        if not is_whole or found > chunk.num_values or _NAMES.get(encoding) not in chunk.encodings:
            raise NotPlainError
        yield _numbers(body, count, encoding, np.dtype(_DTYPES[chunk.physical_type]), leaf)


def check_pages(file: pa.NativeFile, chunk: pq.ColumnChunkMetaData) -> None:
    """Compare all pages of a column of a row group with their checksums, for a reader that does not."""
    start = chunk.data_page_offset
    if chunk.dictionary_page_offset is not None:
        start = min(start, chunk.dictionary_page_offset)
    window = _Window(file, start, chunk.total_compressed_size)
    with suppress(NotPlainError):  # what cannot be read here is left to that reader
        while window.left:
            _stored_page(window, chunk.total_uncompressed_size)


def column_index(metadata: pq.FileMetaData, leaf: Leaf) -> int | None:
    """Return which column of the file holds the values of an array."""
    path = leaf.name
    for index in range(metadata.num_columns):
        name = metadata.schema.column(index).path
        if name == path or name.startswith(f"{path}.list."):
            return index
    return None


def _values_of(chunk: pq.ColumnChunkMetaData, leaf: Leaf) -> int:
    return 1 if chunk.physical_type == "BYTE_ARRAY" else leaf.size


def _numbers(body: pa.Buffer, count: int, encoding: int, dtype: np.dtype[Any], leaf: Leaf) -> NDArray[Any]:
    data = np.frombuffer(body, np.uint8)
    if dtype == np.uint8:
        if encoding != _PLAIN or len(data) != count * (_LENGTH + leaf.size):
            raise NotPlainError
        rows = data.reshape(count, _LENGTH + leaf.size)
        if (np.ascontiguousarray(rows[:, :_LENGTH]).view("<u4") != leaf.size).any():
            raise NotPlainError
        return rows[:, _LENGTH:].reshape(-1)
    if len(data) != count * dtype.itemsize or encoding not in (_PLAIN, _SPLIT):
        raise NotPlainError  # where a value is null its page is shorter
    if encoding == _SPLIT:
        data = np.ascontiguousarray(data.reshape(dtype.itemsize, count).T).reshape(-1)
    return data.view(dtype)


class _Window:
    """Read a stretch of a file forwards, a few megabytes at a time."""

    def __init__(self, file: pa.NativeFile, start: int, size: int) -> None:
        self._file = file
        self._next, self._end = start, start + size
        self._held = pa.py_buffer(b"")

    def peek(self, size: int) -> pa.Buffer:
        """Return the next bytes, fewer at the end only."""
        if len(self._held) < size and self._next + len(self._held) < self._end:
            wanted = min(max(size, _WINDOW), self._end - self._next)
            self._file.seek(self._next)
            self._held = self._file.read_buffer(wanted)
        return self._held.slice(0, min(size, len(self._held)))

    @property
    def left(self) -> int:
        """How many bytes there are."""
        return self._end - self._next

    def skip(self, size: int) -> None:
        """Go forwards over bytes that were looked at."""
        self._held = self._held.slice(size)
        self._next += size


def _stored_page(window: _Window, most: int) -> tuple[dict[int, Any], pa.Buffer]:
    """Return the next page's header, and its bytes as they are stored; compare them with their checksum."""
    try:
        header, length = _struct(memoryview(window.peek(_HEADER)).cast("B"), 0)
        window.skip(length)
        if not (0 <= header[3] <= window.left and 0 <= header[2] <= most):
            raise NotPlainError
        body = window.peek(header[3])
        window.skip(header[3])
        checksum = header.get(_CHECKSUM)
        if checksum is not None and zlib.crc32(body) != checksum & 0xFFFFFFFF:
            raise OSError("a page's checksum is not that of its bytes")
    except (LookupError, TypeError) as exc:
        raise NotPlainError from exc
    return header, body


def _next_page(window: _Window, compression: str, levels: int, most: int) -> tuple[int, int, pa.Buffer]:
    """Return how many values the next page has, how they are encoded, and their bytes."""
    header, body = _stored_page(window, most)
    try:
        if header[1] == _DATA:
            said = header[5]
            body = _decompressed(body, header[2], compression)
            if {said[3], said[4]} != {_RLE}:
                raise NotPlainError
            for _ in range(levels):
                body = body.slice(_LENGTH + int.from_bytes(body[:_LENGTH].to_pybytes(), "little"))
            return said[1], said[2], body
        if header[1] == _DATA_V2:
            said = header[8]
            before = said[5] + said[6]
            body = body.slice(before)
            if said.get(7, True):
                body = _decompressed(body, header[2] - before, compression)
            return said[1], said[4], body
    except (LookupError, TypeError) as exc:
        raise NotPlainError from exc
    raise NotPlainError


def _decompressed(body: pa.Buffer, size: int, compression: str) -> pa.Buffer:
    return body if compression == "UNCOMPRESSED" else pa.decompress(body, size, codec=_CODECS[compression])


def _struct(data: memoryview, place: int) -> tuple[dict[int, Any], int]:
    """Read a struct in Thrift's compact form, as page headers are; return it and where it ends."""
    fields: dict[int, Any] = {}
    number = 0
    while head := data[place]:
        place += 1
        if head >> 4:
            number += head >> 4
        else:
            number, place = _integer(data, place)
        fields[number], place = _value(head & 15, data, place)
    return fields, place + 1


def _value(kind: int, data: memoryview, place: int) -> tuple[Any, int]:
    if kind in (1, 2):
        return kind == 1, place
    if kind in (4, 5, 6):
        return _integer(data, place)
    if kind == 8:
        length, place = _varint(data, place)
        return None, place + length
    if kind == 12:
        return _struct(data, place)
    raise NotPlainError


def _integer(data: memoryview, place: int) -> tuple[int, int]:
    number, place = _varint(data, place)
    return (number >> 1) ^ -(number & 1), place


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
        shift += 7
