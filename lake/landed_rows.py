"""What has landed in an archive, in both tables, in batches: the newest first, each row once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lake.cold import StepsTables
from lake.commits import CommitLog
from lake.parquet import unreadable
from lake.replay_log import ROW_IDENTITY, ReplayLog
from lake.tables import ArchiveTables
from schemas.errors import UsageError
from schemas.protocols import TableName
from schemas.step import LINEAGE_FIELDS, REASON_FIELDS, wire_schema

_BATCH = 1 << 16  # rows
_LINEAGE = [field.name for field in LINEAGE_FIELDS]
_REASONS, _, _RAW, _ = (field.name for field in REASON_FIELDS)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class LandedBatch:
    """Hold rows of one table: the wire's columns and the lineage; of quarantine `reasons` and `raw`, too."""

    table: TableName
    rows: pa.Table


class LandedRows:
    """Read what landed after a version of the steps table; asked again, what has come since.

    Of quarantine those rows are left out that a replay has resolved by now.
    """

    def __init__(self, archive: ArchiveTables, since: int = -1) -> None:
        """Begin after a version, -1 for all; raise UsageError for one that is not there."""
        self._archive = archive
        self._steps = StepsTables(archive)
        self._tables: dict[TableName, CommitLog | StepsTables] = {
            "steps": self._steps,
            "quarantine": archive.table("quarantine"),
        }
        self._names = wire_schema(archive.spec).names
        self._since: dict[TableName, int] = {"steps": -1, "quarantine": -1}
        if since >= 0:
            self._pass_by(since)

    @property
    def version(self) -> int:
        """The version of the steps table that is read up to."""
        return self._tables["steps"].version

    def refresh(self) -> None:
        """See what has landed since."""
        for table in self._tables.values():
            table.refresh()

    def batches(self, limit: int | None = None) -> Iterator[LandedBatch]:
        """Iterate over the rows of files that were not read yet; where there is a limit, of the newest."""
        waiting = {name: self._unread(name) for name in self._tables}
        resolved = self._resolved() if waiting["quarantine"] else None
        left = limit
        while any(waiting.values()):
            name = max(
                (one for one in waiting if waiting[one]),
                key=lambda one: _landed_at(self._tables[one], waiting[one][-1]),
            )
            for batch in self._read(name, waiting[name].pop(), resolved):
                rows = batch if left is None else batch.slice(0, left)
                if rows.num_rows:
                    yield LandedBatch(name, rows)
                if left is not None:
                    left -= rows.num_rows
                    if left <= 0:
                        return

    def _pass_by(self, since: int) -> None:
        """Count as read what was there at a version of the steps, and what was refused until then."""
        if since > self.version:
            raise UsageError(
                f"The steps of {self._archive.name!r} end at version {self.version}, before {since}.",
                hint="Give a version that is there, or none for all that landed.",
            )
        times = _commit_times(self._tables["steps"])
        refusals = _commit_times(self._tables["quarantine"])
        # A flush commits to quarantine first: what was refused with a version is older than its commit.
        self._since = {"steps": since, "quarantine": bisect_right(refusals, times[since]) - 1}
        for name in self._tables:
            self._added(name)  # which raises where the log does not tell any more

    def _unread(self, name: TableName) -> list[str]:
        """Return the files with rows that were not read yet, oldest first."""
        table = self._tables[name]
        if self._since[name] < 0:
            unread = [file for file, _, _ in table.file_sizes()]
        else:
            unread = self._added(name)
        self._since[name] = table.version
        return unread

    def _added(self, name: TableName) -> list[str]:
        added = self._tables[name].added(self._since[name])
        if added is None:
            raise UsageError(
                f"The version {self._since[name]} of {self._archive.name!r} cannot be read any more.",
                hint="Give a later one.",
            )
        return added

    def _resolved(self) -> pl.DataFrame:
        log = ReplayLog(self._archive, self._steps.hot)
        lists = [pl.DataFrame(identities) for identities in log.lists().read()]
        return pl.concat(lists) if lists else pl.DataFrame(pa.schema(LINEAGE_FIELDS).empty_table())

    def _read(self, name: TableName, file: str, resolved: pl.DataFrame | None) -> Iterator[pa.Table]:
        wanted = [*self._names, *_LINEAGE] + ([_REASONS, _RAW] if name == "quarantine" else [])
        for rows in self._tables[name].batches(file, wanted, _BATCH):
            yield _without(rows, resolved) if resolved is not None and name == "quarantine" else rows


def _without(rows: pa.Table, resolved: pl.DataFrame) -> pa.Table:
    if not resolved.height:
        return rows
    held = pl.DataFrame(rows.select(ROW_IDENTITY)).with_row_index("#place")
    kept = held.join(resolved, on=list(ROW_IDENTITY), how="anti", maintain_order="left")["#place"]
    return rows.take(kept.to_arrow())


def _landed_at(table: CommitLog | StepsTables, name: str) -> datetime:
    """Return when the newest row of a file landed, off the file's own statistics."""
    store, name = table.place(name) if isinstance(table, StepsTables) else (table.store, name)
    with unreadable(store, name), store.open(name) as source, pq.ParquetFile(source) as file:
        leaf = next(n for n in range(len(file.schema)) if file.schema.column(n).path == _LINEAGE[-1])
        groups = [file.metadata.row_group(group).column(leaf) for group in range(file.num_row_groups)]
    return max((group.statistics.max for group in groups if group.statistics is not None), default=_NEVER)


def _commit_times(table: CommitLog | StepsTables) -> Sequence[int]:
    """Return when each version was committed, in milliseconds, by version."""
    times = {commit["version"]: commit["timestamp"] for commit in table.commits()}
    return [times.get(version, 0) for version in range(table.version + 1)]
