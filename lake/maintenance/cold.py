"""Change the cold table of an archive so that each change counts for all readers at once, or never.

A change is a commit to the cold table, and then one to the hot table that names the cold version. Who dies
between the two leaves a cold version that nobody reads; who comes next takes back rows that were added, for
they are in the hot table still, and lets anything else count. First it moves the fence, so that whoever was
not dead but slow is refused.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from lake.cold import cold_position, newest_cold, settled_store
from lake.commits import CommitLog
from lake.maintenance.sorting import sorted_tables
from lake.maintenance.turns import next_turn
from lake.parquet import WrittenFile, level_of, partition_values, remove_files, write_partition
from lake.stores import Store
from lake.tables import ArchiveTables
from schemas.errors import AlreadyExistsError
from schemas.protocols import Move
from schemas.step import ROW_ORDER

_FILE_BYTES = 256 << 20
_RUN_BYTES = 64 << 20  # of rows that are sorted in memory
_BATCH = 1 << 17  # rows
_SAID = {"replaylake.origin": "retention"}


class ColdTable:
    """Hold handles on both tables of an archive's steps, as of one moment at which they agree."""

    def __init__(self, archive: ArchiveTables, *, changes: bool = True) -> None:
        """Open them; a change that somebody left half done is undone or completed first.

        Without `changes` nothing is, and the cold table is opened at the version that counts.
        """
        self._archive = archive
        self._cold_id = cold_position(archive.name)
        self._additions_id = f"{self._cold_id}/additions"
        self._fence_id = f"{self._cold_id}/fence"
        self.hot = archive.table("steps")
        self._fence = self.hot.position(self._fence_id)
        self.cold = newest_cold(archive, self.hot)
        if changes:
            self._settle()
        elif self.cold is not None:
            self.cold = self.cold.at(self._version) if self._version >= 0 else None

    def _settle(self) -> None:
        if self.cold is None or self.cold.version == self._version:
            return
        self._fence += 1
        self.hot.rewrite([], [], {self._fence_id: Move(self._fence - 1, self._fence)}, _SAID)
        # The fence refuses those alone who came before it. So the cold table is taken as it was then, never
        # refreshed: rows that somebody has added since are about to count.
        if self.cold.position(self._additions_id) != self.hot.position(self._additions_id):
            counting = self.cold.at(self._version).file_names() if self._version >= 0 else []
            added = sorted(set(self.cold.file_names()) - set(counting))
            if added:
                self.cold.rewrite(added, [], self._cold_turn(), _SAID, loses_rows=True)
        self._switch(self.cold, [])

    @property
    def _version(self) -> int:
        return self.hot.position(self._cold_id)

    def _cold_turn(self) -> dict[str, Move]:
        """Return the move of a change of the cold table as it was opened: who sees one between is refused."""
        return next_turn(self.cold, self._archive.name)

    def _switch(self, cold: CommitLog, removed: Sequence[str]) -> None:
        """Let the cold version count, and take rows out of the hot table by the same commit."""
        additions = cold.position(self._additions_id)
        moves = {
            **next_turn(self.hot, self._archive.name),
            self._cold_id: Move(self._version, cold.version),
            self._additions_id: Move(self.hot.position(self._additions_id), additions),
            self._fence_id: Move(self._fence, self._fence),
        }
        self.hot.rewrite(removed, [], moves, _SAID, loses_rows=True)

    def take(self, names: Sequence[str]) -> int:
        """Move the rows of hot files to the cold table; return how many files they fill there.

        Raise CommitConflictError where somebody changed either table meanwhile: nothing has moved then, and
        what is left behind in the cold table does not count.
        """
        turn = self._cold_turn()  # before the table is made or refreshed
        cold = self._made()
        written: list[WrittenFile] = []
        try:
            for piece in self._pieces(names):
                values = partition_values(piece[0], self.hot.partition_by)
                files = write_partition(
                    cold.store,
                    self._sorted(piece),
                    values,
                    "cold",
                    data_change=True,
                    most_bytes=_FILE_BYTES,
                )
                written.extend(files)
        except BaseException:
            remove_files(cold.store, written)
            raise
        additions = cold.position(self._additions_id)
        moves = turn | {self._additions_id: Move(additions, additions + 1)}
        cold.rewrite([], written, moves, _SAID)
        self._switch(cold, names)
        return len(written)

    def _pieces(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Group hot files by what becomes one run of sorted rows: a sorted one stays for itself."""
        unsorted: defaultdict[str, list[str]] = defaultdict(list)
        for name in names:
            if level_of(name) == "hot":
                unsorted[name.rpartition("/")[0]].append(name)
            else:
                yield [name]
        yield from unsorted.values()

    def _sorted(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Iterate over the rows of hot files of one partition, without its columns, in the rows' order."""
        held = [name for name in self.hot.schema.names if name not in self.hot.partition_by]
        rows = (table for name in names for table in self.hot.batches(name, held, _BATCH))
        if level_of(names[0]) != "hot":
            yield from rows
            return
        with tempfile.TemporaryDirectory(prefix="replaylake-cold-") as folder:
            yield from sorted_tables(rows, ROW_ORDER, _RUN_BYTES, Path(folder))

    def replace(self, removed: Sequence[str], written: Sequence[WrittenFile]) -> None:
        """Put files, or none, in the place of cold ones; raise CommitConflictError likewise.

        Whoever comes next completes what is done by half, so it must be right without the hot table.
        """
        assert self.cold is not None  # noqa: S101 (there are no names of cold files without it)
        self.cold.rewrite(removed, written, self._cold_turn(), _SAID, loses_rows=True)
        self._switch(self.cold, [])

    def _made(self) -> CommitLog:
        """Return the cold table with the columns of the hot one; it is made with the first rows."""
        store = settled_store(self._archive, self._make)
        if self.cold is None:
            self._make(store)
            self.cold = CommitLog(store)
        self.cold.add_columns([field.remove_metadata() for field in self.hot.schema])
        return self.cold

    def _make(self, store: Store) -> None:
        store.names()  # where the place cannot be reached, this says why
        if not CommitLog.is_table(store):
            plain = pa.schema([field.remove_metadata() for field in self.hot.schema])
            with suppress(AlreadyExistsError):  # another retention has made it and gone on, by a hair
                CommitLog.create(store, plain, self.hot.partition_by)
