"""Where the worker lands rows: an archive's two tables behind the `Landing` protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake.cold import StepsTables
from lake.commits import CommitLog
from lake.evolution import settle
from lake.maintenance.tombstones import Tombstones, erasures_id
from lake.tables import ArchiveTables
from schemas.archive_spec import ArchiveSpec
from schemas.errors import StorageError
from schemas.protocols import Move, Partition, TableName, replays_id
from schemas.step import KEY_COLUMNS, wire_schema

if TYPE_CHECKING:
    import pyarrow.dataset as ds


class ArchiveLanding:
    """Land rows in one archive, for one worker: it holds the pinned handles on both tables."""

    def __init__(self, archive: ArchiveTables) -> None:
        self._archive = archive
        settle(archive, archive.spec)
        self._steps = StepsTables(archive)
        self._tables: dict[TableName, CommitLog] = {
            "steps": self._steps.hot,
            "quarantine": archive.table("quarantine"),
        }
        self._replays_id = replays_id(archive.name)
        self._erasures_id = erasures_id(archive.name)
        self._tombstones = Tombstones(archive)
        self._no_erasure: dict[TableName, Move] = {}
        self._look_for_erasures()

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
        self._look_for_erasures()

    def _look_for_erasures(self) -> None:
        """Know of all erasures that are decided, and note how many the tables have heard of."""
        found: dict[TableName, Move] = {}
        for name, table in self._tables.items():
            number = table.position(self._erasures_id)
            found[name] = Move(number, number)
        if found != self._no_erasure:
            self._tombstones.read()  # which are there before any table hears of them
            self._no_erasure = found

    def erased(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Say of rows which of them an erasure took out for good."""
        return self._tombstones.erased(rows)

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
        chosen = (
            (pc.field("stream_topic") == partition.topic)
            & (pc.field("stream_partition") == partition.number)
            & (pc.field("stream_offset") > after)
        )
        found: set[tuple[int, int]] = set()
        quarantine = self._tables["quarantine"]
        for name in quarantine.file_names(predicate):
            rows = quarantine.read(name, ["stream_offset", "stream_row"], chosen)
            found.update(zip(rows["stream_offset"].to_pylist(), rows["stream_row"].to_pylist(), strict=True))
        return frozenset(found)

    def committed_keys(self, date: str) -> Iterator[pa.Table]:
        """Iterate over the key columns of the accepted rows of one event date."""
        yield from self._rows_of(date, KEY_COLUMNS)

    def committed_rows(self, date: str, episodes: Sequence[str | None]) -> Iterator[pa.Table]:
        """Iterate over accepted rows of one event date, at least those of the given episodes."""
        if not episodes:
            return
        chosen = None if None in episodes else pc.field("episode_id").isin(list(episodes))
        for rows in self._rows_of(date, wire_schema(self.spec).names, chosen):
            if rows.num_rows:
                yield rows

    def _rows_of(
        self, date: str, columns: Sequence[str], chosen: ds.Expression | None = None
    ) -> Iterator[pa.Table]:
        """Iterate over rows of one event date as of the pinned version.

        What a rewrite has put elsewhere, and a vacuum or an erasure then removed, is read where it is now.
        """
        if "'" in date:  # no date has one, and the predicate is SQL
            return
        of_date = f"date = '{date}'"
        names = self._steps.file_names(of_date)
        try:
            for name in names:
                yield self._steps.read(name, columns, chosen)
        except StorageError:
            newest = StepsTables(self._archive)
            there = newest.file_names(of_date)
            if set(names) <= set(there):
                raise  # nobody took it away: it is damaged
            for name in there:
                yield newest.read(name, columns, chosen)

    def commit(
        self, table: TableName, rows: pa.Table, moves: Mapping[str, Move], metadata: Mapping[str, str]
    ) -> int:
        """Land rows and move positions in one commit; raise CommitConflictError where they moved.

        So it does where an erasure was decided since the last refresh, for its rows may be among these.
        The position of the replays is of the steps table alone. Where the quarantine's commit asks that it
        stay, it is looked at before: that commit settles verdicts, which a replay may have made wrong.
        """
        stays = moves.get(self._replays_id)
        if table == "quarantine" and stays is not None:
            self._tables["steps"].refresh()
            self._tables["steps"].check_positions({self._replays_id: stays})
            moves = {app_id: move for app_id, move in moves.items() if app_id != self._replays_id}
        heard = {self._erasures_id: self._no_erasure[table]}
        return self._tables[table].append(rows, {**moves, **heard}, metadata)
