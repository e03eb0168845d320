"""A lake's files in a folder of a disk."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from lake.stores.store import StoredFile
from schemas.errors import StorageError, UsageError

_MISREAD = re.compile(r"[%\\\x00-\x1f\x7f\ud800-\udfff]")


class LocalStore:
    """Keep files in a folder, which is made with the first of them; see `Store`."""

    is_remote = False
    options: Mapping[str, str] = {}

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        """Open a folder; `root` is the same absolute and without links, where that is known already."""
        self._folder = folder
        self._root = _checked_root(folder) if root is None else root

    @property
    def folder(self) -> Path:
        """The folder, as it was given."""
        return self._folder

    @property
    def url(self) -> str:
        """The folder's path, as it was given."""
        return str(self._folder)

    def below(self, folder: str) -> LocalStore:
        """Return a folder of the store as a store of its own."""
        return LocalStore(self._folder / folder, self._root / folder)

    def uri(self, name: str) -> str:
        """Return the path of a file, absolute and without links."""
        return f"{self._root}/{name}"

    def exists(self, name: str) -> bool:
        """Say whether a file is there."""
        return self._path(name).is_file()

    def look(self, name: str) -> StoredFile:
        """Return a file's bytes and when it was written; raise FileNotFoundError where it is not there."""
        with _absence(self._path(name)), _storage_errors(f"look at {self._path(name)}"):
            return _described(name, self._path(name).stat())

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raise FileNotFoundError where it is not there."""
        with _absence(self._path(name)), _storage_errors(f"read {self._path(name)}"):
            return self._path(name).read_bytes()

    def open(self, name: str) -> pa.NativeFile:
        """Open a file to be read in parts; raise FileNotFoundError where it is not there."""
        with _absence(self._path(name)), _storage_errors(f"read {self._path(name)}"):
            return pa.OSFile(str(self._path(name)))

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole and durably, in place of what was there."""
        path = self._path(name)
        with self._aside(path, data) as partial:
            partial.replace(path)

    def write_once(self, name: str, data: bytes) -> bool:
        """Write a file, whole and durably, unless it is there."""
        path = self._path(name)
        with self._aside(path, data) as partial:
            try:
                os.link(partial, path)
            except FileExistsError:
                return False
        return True

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Open a new file to be written, which is durable once the block is left in peace."""
        path = self._path(name)
        with _storage_errors(f"write {path}"):
            self._make_folder(path.parent)
            file = path.open("xb")
            try:
                with file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                _sync_folder(path.parent)
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        with _storage_errors(f"remove {self._path(name)}"):
            self._path(name).unlink(missing_ok=True)

    def names(self, folder: str = "", suffix: str = "") -> list[str]:
        """Return the names of the files in a folder."""
        return sorted(
            entry.name for entry in self._entries(folder) if entry.is_file() and entry.name.endswith(suffix)
        )

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders in a folder."""
        return sorted(entry.name for entry in self._entries(folder) if entry.is_dir())

    def files(self, folder: str = "") -> Iterator[StoredFile]:
        """Iterate over all files below a folder."""
        for entry in self._entries(folder):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir():
                yield from self.files(name)
                continue
            try:
                found = entry.stat()
            except FileNotFoundError:  # removed since it was listed
                continue
            yield _described(name, found)

    def _path(self, name: str) -> Path:
        return self._root / name

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        """List a folder but for what somebody is writing just now."""
        path = self._root / folder
        with _storage_errors(f"list {path}"):
            try:
                with os.scandir(path) as entries:
                    return [entry for entry in entries if not entry.name.startswith(PARTIAL)]
            except (FileNotFoundError, NotADirectoryError):
                return []

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, each durable before the next."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)

    @contextmanager
    def _aside(self, path: Path, data: bytes) -> Iterator[Path]:
        """Write bytes beside their place, durably; what puts them there is durable when the block is left."""
        with _storage_errors(f"write {path}"):
            self._make_folder(path.parent)
            partial = path.with_name(f"{PARTIAL}{path.name}.{uuid.uuid4().hex}")
            try:
                with partial.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                yield partial
            finally:
                partial.unlink(missing_ok=True)
            _sync_folder(path.parent)

    def __repr__(self) -> str:
        return f"LocalStore({str(self._folder)!r})"


PARTIAL = ".partial-"  # stands before the names of files that are being written


def _described(name: str, found: os.stat_result) -> StoredFile:
    return StoredFile(name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


def _checked_root(folder: Path) -> Path:
    """Return a folder without links; raise UsageError where the Delta library would read another one's."""
    root = folder.resolve()
    for path in (folder.absolute(), root):
        if _MISREAD.search(str(path)):
            raise UsageError(
                f"A lake cannot be in {str(path)!r}: % and \\ and control characters are not possible there.",
                hint="Give a folder without them.",
            )
    return root


@contextmanager
def _storage_errors(what: str) -> Iterator[None]:
    """Translate an operating system's refusal into a StorageError that names the path."""
    try:
        yield
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise StorageError(
            f"Cannot {what}: {reason}.", hint="Check that the folder exists, is writable and has room."
        ) from exc


@contextmanager
def _absence(path: Path) -> Iterator[None]:
    """Let the absence of a file through as FileNotFoundError."""
    try:
        yield
    except StorageError as exc:
        if isinstance(exc.__cause__, FileNotFoundError | NotADirectoryError):
            raise FileNotFoundError(str(path)) from exc
        raise


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
