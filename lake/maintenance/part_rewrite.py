"""Rewrite a part of a table: files are read, sorted and written anew, and committed in their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from lake.commits import CommitLog
from lake.encoding import row_group_rows
from lake.maintenance.compaction_report import TableCompaction
from lake.maintenance.sorting import sorted_tables
from lake.maintenance.surplus import SurplusIndex, batches_of
from lake.maintenance.turns import next_turn
from lake.parquet import WrittenFile, remove_files, write_partition
from schemas.errors import CommitConflictError, StorageError, UsageError

_COMMIT_BYTES = 1 << 30  # of files that are written before they count: so much may a kill cost
_SAID = {"replaylake.origin": "compaction"}
Values = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class CompactionOptions:
    """Say how large files are to be, and how much memory there is: a few times `memory_bytes` are taken.

    With `all_days` steps of different days are compared, too, which reads the keys of all.
    """

    target_bytes: int = 128 << 20
    memory_bytes: int = 256 << 20
    dry_run: bool = False
    all_days: bool = False

    def __post_init__(self) -> None:
        if min(self.target_bytes, self.memory_bytes) < 1:
            raise UsageError("Neither the files' size nor the memory can be nothing.", hint="Give 1 or more.")


@dataclass(frozen=True, slots=True)
class HeldFile:
    """Name a file of a table, with its rows and its bytes as the log has them."""

    name: str
    rows: int
    size: int


Files = Mapping[Values, Sequence[HeldFile]]  # by partition


@dataclass(slots=True)
class _Waiting:
    """Hold what is written and does not count yet."""

    removed: list[HeldFile] = field(default_factory=list)
    written: list[WrittenFile] = field(default_factory=list)
    surplus: int = 0
    conflicts: int = 0

    @property
    def size(self) -> int:
        return sum(file.action.size for file in self.written)


class PartRewriter:
    """Rewrite files of one part of a table, without the rows that `index` says are superfluous.

    `looked_at` are all files that were compared: they have to be in the table until the last commit, for a
    row may be superfluous by what another of them holds.
    """

    def __init__(
        self,
        archive: str,
        table: CommitLog,
        order: Sequence[str],
        looked_at: Iterable[str],
        index: SurplusIndex | None,
        folder: Path,
        options: CompactionOptions,
    ) -> None:
        self._archive = archive
        self._table = table
        self._order = tuple(order)
        self._looked_at = set(looked_at)
        self._index = index
        self._folder = folder
        self._options = options
        partition_by = table.partition_by
        self._columns = [name for name in table.schema.names if name not in partition_by]

    def rewrite(self, chosen: Files, counted: TableCompaction) -> None:
        """Rewrite files, and count what was done; raise CommitConflictError where others rewrote the part.

        What was committed until then stays, and is counted.
        """
        waiting = _Waiting()
        for values, held in chosen.items():
            try:
                self._write(dict(values), held, waiting)
            except BaseException:
                remove_files(self._table.store, waiting.written)
                raise
            if waiting.size >= _COMMIT_BYTES:
                waiting = self._commit(waiting, counted)
        if waiting.removed:
            self._commit(waiting, counted)

    def count(self, chosen: Files, counted: TableCompaction) -> None:
        """Count what would be rewritten, and write nothing."""
        for held in chosen.values():
            surplus, conflicts = self._superfluous(held)
            self._count(_Waiting(list(held), [], surplus, conflicts), counted)

    def _write(self, values: Mapping[str, str | None], held: Sequence[HeldFile], waiting: _Waiting) -> None:
        """Write the rows of one partition's files into new ones."""
        tables = sorted_tables(self._rows(held), self._order, self._options.memory_bytes, self._folder)
        first = len(waiting.written)
        waiting.written.extend(
            write_partition(
                self._table.store,
                _row_groups(tables),
                values,
                "compact",
                data_change=False,
                order=self._order,
                most_bytes=self._options.target_bytes,
            )
        )
        surplus, conflicts = self._superfluous(held)
        waiting.removed += held
        waiting.surplus += surplus
        waiting.conflicts += conflicts
        read, written = sum(file.rows for file in held), sum(file.rows for file in waiting.written[first:])
        if written != read - surplus:
            raise StorageError(
                f"Of {read} rows in {self._table.store.url}, {surplus} superfluous, {written} were left.",
                hint="Nothing was changed. Please report this.",
            )

    def _rows(self, held: Sequence[HeldFile]) -> Iterator[pa.Table]:
        """Iterate over the rows of files that are not superfluous, without the partition's columns."""
        for file in held:
            surplus = None if self._index is None else self._index.of(file.name)
            end = 0
            for start, rows in batches_of(self._table, file.name, self._columns):
                end = start + rows.num_rows
                yield rows if surplus is None else rows.filter(pa.array(~surplus.rows[start:end]))
            if end != file.rows:
                uri = self._table.store.uri(file.name)
                raise StorageError(
                    f"The file {uri} has {end} rows, and the log says {file.rows}.",
                    hint="Restore it from a copy.",
                )

    def _superfluous(self, held: Sequence[HeldFile]) -> tuple[int, int]:
        """Count the superfluous rows of files, and those of them that contradict."""
        if self._index is None:
            return 0, 0
        found = [one for one in (self._index.of(file.name) for file in held) if one is not None]
        return sum(int(one.rows.sum()) for one in found), sum(int(one.conflicts.sum()) for one in found)

    def _commit(self, waiting: _Waiting, counted: TableCompaction) -> _Waiting:
        """Put what is written in the place of what it was written from."""
        self._table.refresh()
        removed = [file.name for file in waiting.removed]
        written = {file.name for file in waiting.written}
        # The turn is taken now, when all that was compared is still there: from here on nobody may rewrite.
        if self._looked_at - set(self._table.file_names()):
            remove_files(self._table.store, waiting.written)
            raise CommitConflictError(
                "Somebody else rewrote these rows at the same time.", hint="Look again at what is there."
            )
        turn = next_turn(self._table, self._archive)
        self._table.rewrite(removed, waiting.written, turn, _SAID, loses_rows=waiting.surplus > 0)
        self._looked_at = (self._looked_at - set(removed)) | written
        counted.commits += 1
        self._count(waiting, counted)
        return _Waiting()

    def _count(self, done: _Waiting, counted: TableCompaction) -> None:
        counted.files_before += len(done.removed)
        counted.files_after += len(done.written)
        counted.bytes_before += sum(file.size for file in done.removed)
        counted.bytes_after += done.size
        counted.rows_before += sum(file.rows for file in done.removed)
        counted.rows_after += sum(file.rows for file in done.written)
        counted.conflicts += done.conflicts
        if self._index is not None and self._index.rule.of_steps:
            counted.duplicates += done.surplus - done.conflicts
        else:
            counted.superseded += done.surplus


def _row_groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Cut tables so that after each piece a new file may begin."""
    for rows in tables:
        count = row_group_rows(rows, "compact")
        for start in range(0, rows.num_rows, count):
            yield rows.slice(start, count)
