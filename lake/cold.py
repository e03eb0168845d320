"""The cold part of an archive's steps: a second Delta table, read at the version that the first one names.

Rows of old days move there and are queried as before. The hot table holds the version of the cold one that
counts as a position, moved in the commit that takes the rows out of it: so whoever opens the hot table
first sees each row once, in whichever of the two it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.commits import CommitLog
from lake.files import read_json, write_json_once
from lake.parquet import read_batches, read_file
from lake.stores import Store, open_store
from lake.tables import ArchiveTables
from schemas.errors import StorageError, UsageError

if TYPE_CHECKING:
    import pyarrow.dataset as ds

COLD = "cold/"  # stands before the names of cold files; those of hot ones start with a partition, date=...
_PLACE_FILE = "cold.json"
_HERE = "cold"  # the folder of the archive that is taken where the spec names no place


def cold_position(archive: str) -> str:
    """Name the position in the hot table that holds the version of the cold one that counts."""
    return f"{archive}/cold"


class StepsTables:
    """Read an archive's steps, hot and cold, as one table of one version: the hot one's.

    Names of files are relative to the hot table; those of cold files start with `cold/`.
    """

    def __init__(self, archive: ArchiveTables, hot: CommitLog | None = None) -> None:
        """Open the steps of now, or as of a handle on the hot table."""
        self._archive = archive
        self.hot = archive.table("steps") if hot is None else hot
        self.cold: CommitLog | None = None
        self._follow()

    def _follow(self) -> int:
        """Open the cold table at the version that the hot one names; return the hot one's own."""
        hot = self.hot.version
        version = self.hot.position(cold_position(self._archive.name))
        if version >= 0 and (self.cold is None or self.cold.version != version):
            self.cold = CommitLog(_known_store(self._archive)).at(version)
        return hot

    def refresh(self) -> None:
        """See the newest version."""
        self.hot.refresh()
        self._follow()

    def at(self, version: int) -> StepsTables:
        """Return the steps as of an older version, whose rows may have moved since."""
        return StepsTables(self._archive, self.hot.at(version))

    @property
    def store(self) -> Store:
        """Where the hot table's files are."""
        return self.hot.store

    @property
    def stores(self) -> list[Store]:
        """Where the files are."""
        return [log.store for log in self._logs]

    @property
    def version(self) -> int:
        """The version of the hot table."""
        return self.hot.version

    @property
    def schema(self) -> pa.Schema:
        """The columns, partition columns too."""
        return self.hot.schema

    @property
    def partition_by(self) -> list[str]:
        """The partition columns, `date` first."""
        return self.hot.partition_by

    @property
    def added_columns(self) -> list[str]:
        """The columns that came to the table after it was made: a file may lack them."""
        return self.hot.added_columns

    @property
    def roots(self) -> list[str]:
        """The folders that the tables are in, as other libraries call them."""
        return [root for log in self._logs for root in log.roots]

    @property
    def _logs(self) -> list[CommitLog]:
        return [self.hot] if self.cold is None else [self.hot, self.cold]

    def file_names(self, predicate: str | None = None) -> list[str]:
        """Return the files, hot ones first; a predicate leaves out those without a match."""
        while True:
            version = self._follow()
            names = self.hot.file_names(predicate)
            cold = [] if self.cold is None else self.cold.file_names(predicate)
            if self.hot.version == version:  # another thread may have refreshed it, and rows have moved
                return names + [f"{COLD}{name}" for name in cold]

    def file_sizes(self) -> list[tuple[str, int, int]]:
        """Return each file's name, its rows and its bytes; cold ones first, for they are older."""
        cold = [] if self.cold is None else self.cold.file_sizes()
        return [(f"{COLD}{name}", rows, size) for name, rows, size in cold] + self.hot.file_sizes()

    def uris(self, names: Sequence[str]) -> list[str]:
        """Return what other libraries open files by; raise StorageError where cold ones are no more."""
        return [uri for name in names for log, own in [self._of(name)] for uri in log.uris([own])]

    def read(
        self, name: str, columns: Sequence[str] | None = None, chosen: ds.Expression | None = None
    ) -> pa.Table:
        """Read columns of a file, all without a choice, as the table has them now."""
        log, own = self._of(name)
        schema = self.schema  # a cold table learns of a new column with its next rows
        return read_file(log.store, own, schema, columns or schema.names, self.partition_by, chosen)

    def batches(self, name: str, columns: Sequence[str] | None, rows: int) -> Iterator[pa.Table]:
        """Iterate over columns of a file, so many rows at a time."""
        log, own = self._of(name)
        schema = self.schema
        return read_batches(log.store, own, schema, columns or schema.names, self.partition_by, rows)

    def added(self, since: int) -> list[str] | None:
        """Name the files with new rows that came after a version; None where the log tells no more."""
        return self.hot.added(since)

    def commits(self) -> list[dict[str, Any]]:
        """Return what the hot table's log still tells of each commit, oldest first."""
        return self.hot.commits()

    def position(self, app_id: str) -> int:
        """Return a position of the hot table."""
        return self.hot.position(app_id)

    def open(self, name: str) -> pa.NativeFile:
        """Open a file to be read in parts; raise FileNotFoundError where it is not there."""
        store, own = self.place(name)
        return store.open(own)

    def place(self, name: str) -> tuple[Store, str]:
        """Return the store that a file is in, and its name there."""
        log, own = self._of(name)
        return log.store, own

    def _of(self, name: str) -> tuple[CommitLog, str]:
        if not name.startswith(COLD):
            return self.hot, name
        if self.cold is None:  # a snapshot may be of a version before: its files are still in the place
            self.cold = CommitLog(_known_store(self._archive))
        return self.cold, name.removeprefix(COLD)


def cold_store(archive: ArchiveTables) -> Store | None:
    """Return where the archive's cold table is, or None where no row was ever moved."""
    try:
        place = read_json(archive.store, _PLACE_FILE)["place"]
    except FileNotFoundError:
        return None
    return _opened(archive, place)


def _known_store(archive: ArchiveTables) -> Store:
    store = cold_store(archive)
    if store is None:
        raise StorageError(
            f"The file {archive.store.uri(_PLACE_FILE)} is gone, which says where the cold rows are.",
            hint="Restore it from a copy.",
        )
    return store


def newest_cold(archive: ArchiveTables, hot: CommitLog) -> CommitLog | None:
    """Open the cold table at its newest version; None where it was not made yet.

    Raise NotFoundError where rows have moved to it and it is gone, as when its disk is not there.
    """
    if hot.position(cold_position(archive.name)) >= 0:
        return CommitLog(_known_store(archive))
    store = cold_store(archive)
    return CommitLog(store) if store is not None and CommitLog.is_table(store) else None


def settled_store(archive: ArchiveTables, prepare: Callable[[Store], object]) -> Store:
    """Return where the archive's cold table is or is to be: the first that asks settles it for good.

    That is once `prepare` has made the table there: a place that cannot be reached is never settled. Raise
    UsageError where the spec names another place by now.
    """
    named = archive.spec.cold
    place = None if named is None else f"{named.rstrip('/')}/{archive.name}-{archive.lake_id[:8]}"
    store = _opened(archive, place)
    if not archive.store.exists(_PLACE_FILE):
        prepare(store)
        write_json_once(archive.store, _PLACE_FILE, {"place": place})
    settled = read_json(archive.store, _PLACE_FILE)["place"]
    if settled != place:
        raise UsageError(
            f"The cold rows of {archive.name!r} are in {settled or 'the archive itself'}, "
            f"and its spec names {named or 'no place'}.",
            hint="Give the spec the place where they are: rows that have moved stay there.",
        )
    return store


def _opened(archive: ArchiveTables, place: str | None) -> Store:
    if place is None:
        return archive.store.below(_HERE)
    # Another bucket is reached as the lake's own is; beside a lake on a disk, by the environment.
    options = archive.lake_store.options if place.startswith("s3://") else {}
    return open_store(place, options)
