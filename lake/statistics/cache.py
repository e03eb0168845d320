"""What was found of each date, kept beside the archive's tables, and known by the files it was found in.

So it is never wrong when files change: what was found in others is not looked at, unless the log says that
their rows were only put into new files. What does not read is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

from lake.cold import StepsTables
from lake.parquet import partition_values
from lake.statistics.kept import ANSWERS, FOLDER, Kept
from lake.statistics.partitions import Partition
from lake.stores import Store
from schemas.errors import StorageError

FORMAT = 1  # of what is kept: raised when that, or how it is found, changes
_MOST_COMMITS = 200  # that are read to see whether rows were only put into other files
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Form(Generic[_T]):
    """Say how something that is kept of a date is called, written and read."""

    name: str
    write: Callable[[_T], bytes]
    read: Callable[[bytes], _T]


class DateCache:
    """Keep what was found of dates, and find it again."""

    def __init__(self, store: Store, log: StepsTables) -> None:
        self._store = store
        self._log = log
        self._version = log.version
        self._added: dict[int, frozenset[str] | None] = {}
        self.made = 0  # how often something was not there

    def get(self, form: Form[_T], partition: Partition, make: Callable[[], _T]) -> _T:
        """Return what is kept of a date, or make it, and keep it where the store lets us."""
        folder = f"{FOLDER}/{quote(partition.date, safe='') or 'none'}"
        name = f"{form.name}.{FORMAT}.{partition.key}"
        kept = self._read(f"{folder}/{name}")
        if kept is not None:
            return form.read(kept.data)
        kept = self._of_same_rows(folder, form.name, partition)
        if kept is None:
            made = make()
            self.made += 1
            kept = Kept(self._version, partition.rows, form.write(made))
        else:
            made = form.read(kept.data)
        with suppress(StorageError, OSError):  # of a lake that may only be read, nothing is kept
            self._store.write(f"{folder}/{name}", kept.to_bytes())
            for other in self._store.names(folder):
                if other.startswith(f"{form.name}.") and other != name:
                    self._store.remove(f"{folder}/{other}")
        return made

    def forget(self, dates: Sequence[str]) -> None:
        """Remove what is kept of other dates than these, which are gone."""
        there = {quote(date, safe="") or "none" for date in dates}
        with suppress(StorageError, OSError):
            for folder in set(self._store.folders(FOLDER)) - there - {ANSWERS}:
                for name in self._store.names(f"{FOLDER}/{folder}"):
                    self._store.remove(f"{FOLDER}/{folder}/{name}")

    def _read(self, name: str) -> Kept | None:
        try:
            return Kept.from_bytes(self._store.read(name))
        except FileNotFoundError:
            return None

    def _of_same_rows(self, folder: str, what: str, partition: Partition) -> Kept | None:
        """Return what was found of the same rows when they were in other files."""
        beginning = f"{what}.{FORMAT}."
        for name in self._store.names(folder):
            kept = self._read(f"{folder}/{name}") if name.startswith(beginning) else None
            if kept is None or kept.rows != partition.rows:
                continue
            added = self._added_since(kept.version)
            if added is not None and partition.date not in added:
                return Kept(self._version, kept.rows, kept.data)
        return None

    def _added_since(self, version: int) -> frozenset[str] | None:
        """Return the dates to which rows came after a version; None where that is not told soon."""
        if not 0 <= self._version - version <= _MOST_COMMITS:
            return None
        if version not in self._added:
            names = self._log.added(version)
            by = self._log.partition_by
            self._added[version] = (
                None
                if names is None
                else frozenset(partition_values(name, by)["date"] or "" for name in names)
            )
        return self._added[version]
