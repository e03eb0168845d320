"""Names of records: the same record of the same file has the same one on every reading.

An id is `FILE-NUMBER-CONTENT`, such as `3f2a9c4b1d0e-000000000017-0a1b2c3d`, after the source's name and a
slash where it has one. FILE is a hash of the file's first record (and a table's header), so that it changes
neither when the file grows nor when it is renamed or compressed. NUMBER counts the records from 0, and
CONTENT is a CRC-32: a record that was mended is another one, and one that was not is the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from zlib import crc32

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_FIRST = 4096  # bytes of the first record that name the file
_DIGITS = 12
_HEX = 8


def fingerprint(*parts: bytes) -> str:
    """Name a file by its first record, and what comes before it."""
    hashed = hashlib.blake2b(digest_size=6)
    for part in parts:
        hashed.update(len(part[:_FIRST]).to_bytes(4, "little") + part[:_FIRST])
    return hashed.hexdigest()


def checksums(contents: Iterable[bytes], count: int) -> NDArray[np.uint32]:
    """Return the CRC-32 of each content. It is stable for ever, and a tenth of the cost of a long hash."""
    return np.fromiter(map(crc32, contents), dtype=np.uint32, count=count)


def record_ids(file: str, numbers: NDArray[np.int64], sums: NDArray[np.uint32]) -> pa.StringArray:
    """Name records by their file, their numbers and the checksums of their contents.

    All ids have one length, so they are written as one block of bytes and no loop runs over them.
    """
    prefix = np.frombuffer(f"{file}-".encode(), np.uint8)
    at = len(prefix)
    text = np.empty((len(numbers), at + _DIGITS + 1 + _HEX), np.uint8)
    text[:, :at] = prefix
    left = numbers.astype(np.int64)
    for place in range(at + _DIGITS - 1, at - 1, -1):
        left, digit = np.divmod(left, 10) if left.any() else (left, left)
        text[:, place] = digit + ord("0")
    text[:, at + _DIGITS] = ord("-")
    hexed = sums.astype(">u4").tobytes().hex().encode()
    text[:, at + _DIGITS + 1 :] = np.frombuffer(hexed, np.uint8).reshape(len(sums), _HEX)
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * text.shape[1]
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(text))
