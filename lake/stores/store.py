"""The seam between a lake and where it is kept; all that do it pass `tests/contracts/test_stores.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

import pyarrow as pa

REMOTE_HINT = "Check the endpoint, the bucket and the keys of the lake on S3: see docs/object-stores.md."


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Name a file of a store, with its bytes and when it was written."""

    name: str
    size: int
    modified: datetime


class Store(Protocol):
    """Keep files under names that are relative to the store, with `/` between their parts.

    What cannot be done raises StorageError; what is not there, FileNotFoundError where a method says so.
    """

    @property
    def url(self) -> str:
        """What people call the place: a folder's path, or `s3://bucket/prefix`."""

    @property
    def is_remote(self) -> bool:
        """Whether other libraries reach it over a network, by its own file system and `options`."""

    @property
    def options(self) -> Mapping[str, str]:
        """What the Delta library and Polars need to reach the place: secrets, so show them to nobody."""

    def below(self, folder: str) -> Store:
        """Return a folder of the store as a store of its own. It need not be there."""

    def uri(self, name: str) -> str:
        """Return what other libraries open a file by."""

    def exists(self, name: str) -> bool:
        """Say whether a file is there."""

    def look(self, name: str) -> StoredFile:
        """Return a file's bytes and when it was written; raise FileNotFoundError where it is not there."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raise FileNotFoundError where it is not there."""

    def open(self, name: str) -> pa.NativeFile:
        """Open a file to be read in parts; raise FileNotFoundError where it is not there."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file durably: a reader, also after a crash, sees the old bytes or the new ones."""

    def write_once(self, name: str, data: bytes) -> bool:
        """Write a file likewise unless it is there: of several writers one gets True, and its bytes stay."""

    def create(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a new file to be written; it is there, whole and durable, once the block is left in peace."""

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""

    def names(self, folder: str = "", suffix: str = "") -> list[str]:
        """Return the files of a folder, not of those in it, by name and without the folder; sorted."""

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders in a folder, sorted."""

    def files(self, folder: str = "") -> Iterator[StoredFile]:
        """Iterate over all files below a folder, however deep; names are relative to the store."""
