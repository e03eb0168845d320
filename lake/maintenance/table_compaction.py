"""Compact one table, part by part: a part's rows are compared, and its files rewritten where that gains."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from lake.maintenance.compaction_report import TableCompaction
from lake.maintenance.conflicts import quarantine_conflicts
from lake.maintenance.part_rewrite import CompactionOptions, Files, HeldFile, PartRewriter, Values
from lake.maintenance.surplus import Rule, SurplusIndex, batches_of
from lake.maintenance.tombstones import erasures_id
from lake.parquet import level_of, partition_values
from lake.tables import ArchiveTables
from schemas.errors import CommitConflictError, StorageError

_ATTEMPTS = 20  # of a part that others rewrite, too


@dataclass(frozen=True, slots=True)
class Kind:
    """Describe a table to compact: its order, and which of its rows are superfluous.

    Rows with one key are taken to be of one day, or else all of the table is one part.
    """

    name: Literal["steps", "quarantine", "episodes"]
    order: tuple[str, ...]
    rule: Rule | None = None
    by_day: bool = True


class TableCompactor:
    """Compact a table of an archive. One thread drives it."""

    def __init__(self, archive: ArchiveTables, kind: Kind, options: CompactionOptions) -> None:
        self._archive = archive
        self._kind = kind
        self._options = options
        self._table = archive.table(kind.name)
        self._partition_by = self._table.partition_by
        self._quarantine = archive.table("quarantine")
        self._erasures = -1  # how many were known of before the files were listed

    def run(self) -> Iterator[TableCompaction]:
        """Compact part by part, and yield what was done to each."""
        parts, begun = self._parts(), self._table.version
        for name in sorted(parts, key=str):
            counted = TableCompaction()
            files: Files = parts[name]
            for _ in range(_ATTEMPTS):
                try:
                    self._compact(files, counted)
                    break
                except StorageError as exc:
                    self._table.refresh()
                    there = set(self._table.file_names())
                    if not isinstance(exc, CommitConflictError) and _names(files) <= there:
                        raise  # nobody took away what was to be read
                    counted.refused += 1
                    files = self._parts().get(name, {})
            else:
                what = f"the {self._kind.name} of {self._archive.name!r}"
                raise StorageError(
                    f"Others rewrote {what} first, {_ATTEMPTS} times.",
                    hint="Let one compaction run at a time.",
                )
            yield counted
        if self._table.version > begun and not self._options.dry_run:
            self._table.checkpoint()

    def _parts(self) -> Mapping[str | None, Files]:
        """Return the files of the newest version by part and partition."""
        if self._kind.rule is not None and self._kind.rule.of_steps:
            self._quarantine.refresh()
            self._erasures = self._quarantine.position(erasures_id(self._archive.name))
        self._table.refresh()
        parts: dict[str | None, dict[Values, list[HeldFile]]] = {}
        for name, rows, size in self._table.file_sizes():
            values = partition_values(name, self._partition_by)
            part = parts.setdefault(values["date"] if self._kind.by_day else None, {})
            part.setdefault(tuple(values.items()), []).append(HeldFile(name, rows, size))
        return parts

    def _compact(self, files: Files, counted: TableCompaction) -> None:
        """Compact a part; raise CommitConflictError where somebody else rewrote any of it meanwhile."""
        is_compared = self._options.all_days and self._kind.rule is not None  # whether or not files are small
        if not is_compared and not any(self._gaining(held, frozenset()) for held in files.values()):
            return
        looked_at = sorted(_names(files))
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="replaylake-compact-")))
            index = None
            if self._kind.rule is not None:
                made = SurplusIndex(self._table, self._kind.rule, folder, self._options.memory_bytes)
                index = stack.enter_context(made)
                index.look(looked_at)
            tainted = frozenset() if index is None else frozenset(index.files())
            chosen = {values: self._gaining(held, tainted) for values, held in files.items()}
            chosen = {values: held for values, held in chosen.items() if held}
            order = [name for name in self._kind.order if name not in self._partition_by]
            rewriter = PartRewriter(
                self._archive.name, self._table, order, looked_at, index, folder, self._options
            )
            if self._options.dry_run:
                rewriter.count(chosen, counted)
                return
            if index is not None and index.conflicts:
                quarantine_conflicts(self._archive, self._conflicting(index), self._erasures)
            rewriter.rewrite(chosen, counted)

    def _gaining(self, files: Sequence[HeldFile], tainted: frozenset[str]) -> list[HeldFile]:
        """Return the files of a partition to rewrite: what landed, small ones, and tainted ones."""
        landed = [file for file in files if level_of(file.name) == "hot"]
        sorted_ = [file for file in files if level_of(file.name) != "hot"]
        small = [file for file in sorted_ if file.size < self._options.target_bytes // 2]
        chosen = landed + small if landed or len(small) > 1 else []
        return [file for file in files if file in chosen or file.name in tainted]

    def _conflicting(self, index: SurplusIndex) -> Iterator[pa.Table]:
        """Iterate over the rows that contradict others, with all columns."""
        held: list[pa.Table] = []
        for name in sorted(index.files()):
            found = index.of(name)
            if found is None or not found.conflicts.any():
                continue
            for start, rows in batches_of(self._table, name, self._table.schema.names):
                held.append(rows.filter(pa.array(found.conflicts[start : start + rows.num_rows])))
                if sum(rows.nbytes for rows in held) >= self._options.memory_bytes:
                    yield pa.concat_tables(held)
                    held = []
        if held:
            yield pa.concat_tables(held)


def _names(files: Files) -> set[str]:
    return {file.name for held in files.values() for file in held}
