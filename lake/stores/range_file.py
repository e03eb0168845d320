"""A file of a remote store, read by ranges: what nobody asks for is not fetched."""

from __future__ import annotations

import io
from typing import Protocol

from lake.stores.store import StoredFile


class Ranges(Protocol):
    """Give parts of files."""

    def look(self, name: str) -> StoredFile:
        """Return what is known of a file; raise FileNotFoundError where it is not there."""

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Return the bytes of a file from one place to another."""


class RangeFile(io.RawIOBase):
    """Read a file of a remote store; raise FileNotFoundError where it is not there."""

    def __init__(self, store: Ranges, name: str) -> None:
        self._store = store
        self._name = name
        self._size = store.look(name).size
        self._position = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from any place."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return so many bytes, fewer at the end of the file alone."""
        end = self._size if size is None or size < 0 else min(self._size, self._position + size)
        if end <= self._position:
            return b""
        data = self._store.read_range(self._name, self._position, end)
        self._position = end
        return data
