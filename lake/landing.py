"""Where the worker lands rows: an archive's two tables behind the `Landing` protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from lake.archive import Archive
from lake.commits import CommitLog
from lake.parquet import read_file
from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Move, Partition, TableName, replays_id
from schemas.step import KEY_COLUMNS, wire_schema


class ArchiveLanding:
    """Land rows in one archive, for one worker: it holds the pinned handles on both tables."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._tables: dict[TableName, CommitLog] = {
            "steps": archive.table("steps"),
            "quarantine": archive.table("quarantine"),
        }
        self._replays_id = replays_id(archive.name)
        self._partition_by = {name: table.partition_by for name, table in self._tables.items()}

    @property
    def spec(self) -> ArchiveSpec:
        """The archive's spec."""
        return self._archive.spec

    @property
    def lake_id(self) -> str:
        """The lake's own id."""
        return self._archive.lake_id

    def refresh(self) -> None:
        """See the newest version of both tables."""
        for table in self._tables.values():
            table.refresh()

    @property
    def is_begun(self) -> bool:
        """Whether anything was committed to either table, as last refreshed."""
        return any(table.version > 0 for table in self._tables.values())

    def position(self, table: TableName, app_id: str) -> int:
        """Return the last offset landed in the table as last refreshed, or -1."""
        return self._tables[table].position(app_id)

    def quarantined(self, partition: Partition, after: int) -> frozenset[tuple[int, int]]:
        """Return (offset, row) of what quarantine holds of the partition beyond offset `after`."""
        predicate = f"stream_partition = {int(partition.number)} and stream_offset > {int(after)}"
        filters = [
            ("stream_topic", "=", partition.topic),
            ("stream_partition", "=", partition.number),
            ("stream_offset", ">", after),
        ]
        found: set[tuple[int, int]] = set()
        for path in self._tables["quarantine"].files(predicate):
            rows = read_file(path, ["stream_offset", "stream_row"], self._partition_by["quarantine"], filters)
            found.update(zip(rows["stream_offset"].to_pylist(), rows["stream_row"].to_pylist(), strict=True))
        return frozenset(found)

    def committed_keys(self, date: str) -> Iterator[pa.Table]:
        """Iterate over the key columns of the accepted rows of one event date."""
        for path in self._files_of(date):
            yield read_file(path, KEY_COLUMNS, self._partition_by["steps"])

    def committed_rows(self, date: str, episodes: Sequence[str | None]) -> Iterator[pa.Table]:
        """Iterate over accepted rows of one event date, at least those of the given episodes."""
        if not episodes:
            return
        filters = None if None in episodes else [("episode_id", "in", list(episodes))]
        for path in self._files_of(date):
            rows = read_file(path, wire_schema(self.spec).names, self._partition_by["steps"], filters)
            if rows.num_rows:
                yield rows

    def _files_of(self, date: str) -> list[str]:
        if "'" in date:  # no date has one, and the predicate is SQL
            return []
        return self._tables["steps"].files(f"date = '{date}'")

    def commit(
        self, table: TableName, rows: pa.Table, moves: Mapping[str, Move], metadata: Mapping[str, str]
    ) -> int:
        """Land rows and move positions in one commit; raise CommitConflictError where they moved.

        The position of the replays is of the steps table alone. Where the quarantine's commit asks that it
        stay, it is looked at before: that commit settles verdicts, which a replay may have made wrong.
        """
        stays = moves.get(self._replays_id)
        if table == "quarantine" and stays is not None:
            self._tables["steps"].refresh()
            self._tables["steps"].check_positions({self._replays_id: stays})
            moves = {app_id: move for app_id, move in moves.items() if app_id != self._replays_id}
        return self._tables[table].append(rows, moves, metadata)
