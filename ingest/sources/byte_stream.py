"""The bytes of a file or of standard input, decompressed, from front to back."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol

import pyarrow as pa

from ingest.sources.options import Compression
from schemas.errors import DataError, NotFoundError, UsageError

STDIN = "-"
_BLOCK = 1 << 20
_PATIENCE = 0.1  # seconds in which a pipe's next bytes are worth waiting for
_BY_NAME: dict[str, Compression] = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
_BY_MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


class Readable(Protocol):
    """What bytes come from: b"" is the end."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, at least one before the end."""


class ByteStream:
    """Read bytes in order, with a look ahead; raise DataError, with the place, where they break off."""

    def __init__(self, file: Readable, shown: str, *, seekable: bool = False) -> None:
        self.shown = shown  # the name for people
        self.position = 0  # of the next byte that `read` gives
        self.seekable = seekable
        self._file = file
        self._ahead = b""

    def peek(self, size: int) -> bytes:
        """Return the next bytes, fewer than `size` only at the end, and leave them to be read."""
        while len(self._ahead) < size:
            got = self._fetch(size - len(self._ahead))
            if not got:
                break
            self._ahead += got
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """Take up to `size` bytes; b"" at the end."""
        if self._ahead:
            taken, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            taken = self._fetch(size)
        self.position += len(taken)
        return taken

    def skip_to(self, offset: int, keep: int) -> bytes | None:
        """Go forward to an offset, and return up to `keep` bytes before it; None where the end is sooner."""
        if self.seekable and offset - keep > self.position + len(self._ahead):
            self._file.seek(offset - keep)  # type: ignore[attr-defined]
            self._ahead, self.position = b"", offset - keep
        before = b""
        while self.position < offset:
            got = self.read(min(_BLOCK, offset - self.position))
            if not got:
                return None
            before = (before + got)[-keep:]
        return before

    def _fetch(self, size: int) -> bytes:
        try:
            return bytes(self._file.read(size))
        except OSError as exc:  # the system's, and the decompressor's
            place = self.position + len(self._ahead)
            raise DataError(
                f"{self.shown!r} breaks off after {place:,} bytes: {exc.strerror or exc}.",
                hint="What came before that was read. Restore the file, and publish it again.",
            ) from exc


@contextmanager
def open_bytes(path: str, compression: Compression | None = None) -> Iterator[ByteStream]:
    """Open a file, or `-` for standard input; its compression is told by its name or its first bytes.

    Raise NotFoundError for a file that is not there, and UsageError for one that cannot be read.
    """
    if path == STDIN:
        yield decompressed(ByteStream(_standard_input(), "standard input"), compression)
        return
    with opened(path) as file:
        yield decompressed(ByteStream(file, path, seekable=file.seekable()), compression or by_name(path))


def reopened(handle: BinaryIO, path: str) -> ByteStream:
    """Return the bytes of a file that is open, from its start; it stays open, whatever its name is now."""
    handle.seek(0)
    return ByteStream(handle, path, seekable=True)


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """Open a file for bytes as they are; raise UsageError with the reason where that cannot be."""
    try:
        file = open(path, "rb", buffering=0)
    except FileNotFoundError as exc:
        raise NotFoundError("file", path) from exc
    except OSError as exc:
        raise UsageError(f"The file {path!r} cannot be read: {exc.strerror}.") from exc
    with file:
        yield file


def by_name(path: str) -> Compression | None:
    """Tell the compression by a file's name; None says nothing."""
    return _BY_NAME.get(os.path.splitext(path)[1].lower())


def plain_name(path: str) -> str:
    """Return the name without the ending of a compression."""
    return os.path.splitext(path)[0] if by_name(path) else path


def decompressed(stream: ByteStream, compression: Compression | None) -> ByteStream:
    """Return the stream of what is in a compressed one; gzip of several members is one text."""
    if compression is None:
        first = stream.peek(4)
        compression = next((kind for magic, kind in _BY_MAGIC.items() if first.startswith(magic)), "none")
    if compression == "none":
        return stream
    if not stream.peek(1):
        return stream  # an empty file, which no decompressor takes
    return ByteStream(pa.CompressedInputStream(_Raw(stream), compression), stream.shown)


class _Raw:
    """Show a stream to Arrow as a Python file."""

    closed = False

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        return self._stream.read(size)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Leave the stream to whoever opened it."""


class _Pipe:
    """Read a pipe: wait for its first bytes as long as it takes, and for more of them a moment only."""

    def __init__(self, number: int) -> None:
        self._number = number

    def read(self, size: int) -> bytes:
        gathered = bytearray(os.read(self._number, size))
        while gathered and len(gathered) < size and select.select([self._number], [], [], _PATIENCE)[0]:
            got = os.read(self._number, size - len(gathered))
            if not got:
                break
            gathered += got
        return bytes(gathered)


def _standard_input() -> Readable:
    try:
        return _Pipe(sys.stdin.fileno())
    except (OSError, ValueError):  # not the process's own
        return sys.stdin.buffer
