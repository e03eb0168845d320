"""The files that hold rows of an erasure, in all tables of an archive; those of older versions, too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.cold import COLD, cold_position, newest_cold
from lake.commits import CommitLog
from lake.maintenance.tombstone import MATCHED_COLUMNS, Tombstone
from lake.parquet import (
    WrittenFile,
    level_of,
    partition_values,
    read_batches,
    write_partition,
)
from lake.stores.store import StoredFile
from lake.tables import ArchiveTables
from schemas.episodes import EPISODE_KEY
from schemas.errors import StorageError
from schemas.step import KEY_COLUMNS, ROW_ORDER

Kind = Literal["steps", "cold", "quarantine", "episodes"]
_BATCH = 1 << 16  # rows
_COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "steps": (*KEY_COLUMNS, "event_time"),
    "cold": (*KEY_COLUMNS, "event_time"),
    "quarantine": (*MATCHED_COLUMNS, "raw"),
    "episodes": (*EPISODE_KEY, "started_at"),
}


@dataclass(frozen=True, slots=True)
class HeldTable:
    """Name a table, or what was one, with the version that counts."""

    kind: Kind
    log: CommitLog

    @property
    def prefix(self) -> str:
        """What stands before the names of its files where those of several tables are together."""
        return COLD if self.kind == "cold" else ""

    def current(self) -> set[str]:
        """Name the files of the version."""
        return set(self.log.file_names())

    def stored_files(self) -> Iterator[StoredFile]:
        """Iterate over all files with rows that are stored, whatever version they are of."""
        for file in self.log.store.files():
            if file.name.endswith(".parquet") and not file.name.startswith("_delta_log/"):
                yield file

    def stored(self) -> Iterator[str]:
        """Name them."""
        return (file.name for file in self.stored_files())

    def matches(self, name: str, tombstone: Tombstone) -> int:
        """Count the rows of a file that are erased; none where it does not read, as while it is written."""
        columns = [column for column in _COLUMNS[self.kind] if column in self.log.schema.names]
        try:
            return sum(int(self._erased(rows, tombstone).sum()) for rows in self._batches(name, columns))
        except StorageError:
            if name in self.current():
                raise
            return 0

    def without(self, name: str, tombstone: Tombstone) -> list[WrittenFile]:
        """Write a file's other rows into a new one, in their order; nothing where there are none."""
        partition_by = self.log.partition_by

        def kept() -> Iterator[pa.Table]:
            for rows in self._batches(name, self.log.schema.names):
                left = rows.filter(pa.array(~self._erased(rows, tombstone)))
                if left.num_rows:
                    yield left.drop_columns(partition_by)

        return list(
            write_partition(
                self.log.store,
                kept(),
                partition_values(name, partition_by),
                level_of(name),
                data_change=False,
                order=ROW_ORDER if self.kind in ("steps", "cold") else (),
            )
        )

    def _batches(self, name: str, columns: Collection[str]) -> Iterator[pa.Table]:
        return read_batches(
            self.log.store, name, self.log.schema, list(columns), self.log.partition_by, _BATCH
        )

    def _erased(self, rows: pa.Table, tombstone: Tombstone) -> NDArray[np.bool_]:
        return tombstone.of_episodes(rows) if self.kind == "episodes" else tombstone.rows(rows)


def held_tables(archive: ArchiveTables) -> list[HeldTable]:
    """Open the tables that the archive has, the hot steps first."""
    tables = [HeldTable("steps", archive.table("steps"))]
    cold = newest_cold(archive, tables[0].log)
    if cold is not None:
        version = tables[0].log.position(cold_position(archive.name))
        tables.append(HeldTable("cold", cold.at(version) if version >= 0 else cold))
    tables.append(HeldTable("quarantine", archive.table("quarantine")))
    if archive.is_audited:
        tables.append(HeldTable("episodes", archive.table("episodes")))
    return tables


def is_readable(log: CommitLog, name: str) -> bool:
    """Say whether a stored file is whole; one that is being written, or was torn by a kill, is not."""
    try:
        for _ in read_batches(log.store, name, log.schema, ["source"], log.partition_by, 1):
            break
    except StorageError:
        return False
    return True
