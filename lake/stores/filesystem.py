"""Remote stores as the file system by which DuckDB reads them, and reads them only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from fsspec import AbstractFileSystem

from lake.stores.range_file import RangeFile
from lake.stores.s3 import S3Store

_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)


class StoreFilesystem(AbstractFileSystem):  # type: ignore[misc]
    """Read the files of some stores by their URLs."""

    protocol = "s3"
    cachable = False  # or the library would keep one for all, with the keys of the first

    def __init__(self, stores: Iterable[S3Store]) -> None:
        super().__init__()
        self._stores = {store.url: store for store in stores}

    def open(self, path: str, mode: str = "rb", **_: Any) -> RangeFile:
        """Open a file to be read."""
        if mode != "rb":
            raise PermissionError(path)
        return RangeFile(*self._found(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Describe a file."""
        store, name = self._found(path)
        return {"name": path, "size": store.look(name).size, "type": "file"}

    def exists(self, path: str, **_: Any) -> bool:
        """Say whether a file is there."""
        store, name = self._found(path)
        return store.exists(name)

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return the path: who reads tables knows their files, and has no patterns."""
        return [path]

    def modified(self, path: str) -> datetime:
        """Return one time for all: files of a table never change."""
        return _ALWAYS

    def _found(self, path: str) -> tuple[S3Store, str]:
        # The longest that fits: a store may be below another one, with keys of its own.
        fitting = [url for url in self._stores if path.startswith(f"{url}/")]
        if not fitting:
            raise FileNotFoundError(path)
        url = max(fitting, key=len)
        return self._stores[url], path.removeprefix(f"{url}/")
