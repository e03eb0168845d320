"""One erasure that is decided, carried out.

First the tables hear of it, so that no worker lands what it keeps out; files are rewritten without the rows,
in the tables and in snapshots; what was made of them is put right or removed; and last go what the tables'
logs say of the old files, and the files. Every part may be done again, so whoever comes after a kill does
all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lake.cold import COLD, StepsTables
from lake.commits import CommitLog
from lake.files import read_json, write_json
from lake.maintenance.cold import ColdTable
from lake.maintenance.erasure_files import HeldTable, held_tables, is_readable
from lake.maintenance.erasure_report import ErasureReport, begun_report
from lake.maintenance.erasure_traces import forget_traces, names_agent
from lake.maintenance.leftovers import remove_partial_files
from lake.maintenance.log_scrub import close_log, scrub_log
from lake.maintenance.tombstone import Tombstone
from lake.maintenance.tombstones import FOLDER, Tombstones, erasures_id
from lake.maintenance.turns import next_turn, undisturbed
from lake.parquet import WrittenFile, remove_files
from lake.reading.cache import purge
from lake.snapshots import Snapshot, forget_older, list_snapshots, mark_erased, remove_stale
from lake.snapshots.contents import measure
from lake.stores.local import LocalStore
from lake.tables import ArchiveTables
from schemas.errors import NotFoundError, StorageError
from schemas.protocols import Move

_SAID = {"replaylake.origin": "erasure"}
_WRITING = timedelta(hours=1)  # so long a file may take to be written


class ErasureRun:
    """Carry out one erasure that is decided."""

    def __init__(
        self,
        archive: ArchiveTables,
        tombstone: Tombstone,
        touched: dict[str, Any],
        cache_folder: Path | None,
    ) -> None:
        self._archive = archive
        self._tombstone = tombstone
        self._cache_folder = cache_folder
        self._unfinished = 0
        self._report = begun_report(archive, tombstone, touched)
        self._store = archive.store.below(FOLDER)
        self._id = f"erasure-{tombstone.number}"  # as snapshots say it
        self._renamed_file = f"{tombstone.number:08d}.files.json"
        self._clean: set[tuple[str, str]] = set()  # files that were looked through, by table
        try:
            self._renamed: dict[str, str | None] = read_json(self._store, self._renamed_file)
        except FileNotFoundError:
            self._renamed = {}

    def finish(self) -> ErasureReport:
        """Do all parts, and keep the report."""
        self._fence()
        for table in held_tables(self._archive):
            if table.kind == "cold":
                self._rewrite_cold()
            else:
                self._rewrite(table)
        self._mend_snapshots()
        forget_traces(self._archive, self._tombstone)
        for table in held_tables(self._archive):
            self._repeat(lambda table=table: close_log(CommitLog(table.log.store), self._archive.name))
        self._repeat(lambda: ColdTable(self._archive))  # its closed version counts before the others go
        for table in held_tables(self._archive):
            scrub_log(table.log)
        self._remove_files()
        self._report.remains = list(self._remains())
        self._report.finished_at = datetime.now(UTC)
        self._store.remove(self._renamed_file)  # it names files that are gone; nobody looks after the report
        Tombstones(self._archive).write_report(self._tombstone.number, self._report.to_dict())
        return self._report

    def _fence(self) -> None:
        """Let the tables hear of the erasure: whoever does not know of it lands nothing any more.

        An audit that is under way lands nothing either: it looked at rows that are erased.
        """
        for name in ("steps", "quarantine"):
            self._repeat(lambda name=name: self._tell(name))

    def _tell(self, name: Any) -> None:
        table = self._archive.table(name)
        app_id, number = erasures_id(self._archive.name), self._tombstone.number
        heard = table.position(app_id)
        if heard < number:
            table.rewrite([], [], {app_id: Move(heard, number)}, _SAID)

    def _dirty(self, table: HeldTable, names: Iterator[str] | set[str]) -> list[str]:
        """Return those files that hold erased rows."""
        found = []
        for name in names:
            if (table.kind, name) in self._clean:
                continue
            if table.matches(name, self._tombstone):
                found.append(name)
            else:
                self._clean.add((table.kind, name))
        return sorted(found)

    def _rewrite(self, table: HeldTable) -> None:
        """Put clean files in the place of those of the version that hold erased rows."""

        def attempt() -> None:
            table.log.refresh()
            dirty = self._dirty(table, table.current())
            # The episodes' table is told in any case: an audit lands onto the version that it has seen.
            if dirty or table.kind == "episodes":
                written = self._written(table, dirty)
                turn = next_turn(table.log, self._archive.name)
                table.log.rewrite(dirty, written, turn, _SAID, loses_rows=True)

        self._repeat(attempt)

    def _rewrite_cold(self) -> None:
        def attempt() -> None:
            tables = ColdTable(self._archive)
            if tables.cold is None:
                return
            table = HeldTable("cold", tables.cold)
            dirty = self._dirty(table, table.current())
            if dirty:
                tables.replace(dirty, self._written(table, dirty))

        self._repeat(attempt)

    def _written(self, table: HeldTable, dirty: list[str]) -> list[WrittenFile]:
        """Write files without the erased rows, and note durably in whose place they come."""
        written: list[WrittenFile] = []
        try:
            for name in dirty:
                files = table.without(name, self._tombstone)
                written += files
                if table.kind in ("steps", "cold"):
                    new = f"{table.prefix}{files[0].name}" if files else None
                    self._renamed[f"{table.prefix}{name}"] = new
            write_json(self._store, self._renamed_file, self._renamed)
        except BaseException:
            remove_files(table.log.store, written)
            raise
        return written

    def _mend_snapshots(self) -> None:
        """Give snapshots clean files, though they are pinned; some need files of older versions."""
        tables = {
            table.prefix: table for table in held_tables(self._archive) if table.kind in ("steps", "cold")
        }
        current = {f"{prefix}{name}" for prefix, table in tables.items() for name in table.current()}
        for snapshot in list_snapshots([self._archive], drafts=True):  # who makes one may yet keep it
            for name in snapshot.files:
                prefix = COLD if name.startswith(COLD) else ""
                if prefix not in tables:  # the cold place is gone, and what was in it
                    continue
                table, own = tables[prefix], name.removeprefix(prefix)
                if not self._is_replaced(tables, name) and name not in current and self._dirty(table, {own}):
                    self._written(table, [own])
            if any(name in self._renamed for name in snapshot.files):
                self._mark(snapshot)
            elif any(erasure.id == self._id for erasure in snapshot.erasures):
                forget_older(snapshot)  # who marked it may have died then
                self._purge(snapshot)

    def _is_replaced(self, tables: dict[str, HeldTable], name: str) -> bool:
        """Say whether a file has a clean one that is there: who was to write it may have died."""
        if name not in self._renamed:
            return False
        new = self._renamed[name]
        if new is None:
            return True
        prefix = COLD if new.startswith(COLD) else ""
        return tables[prefix].log.store.exists(new.removeprefix(prefix))

    def _mark(self, snapshot: Snapshot) -> None:
        try:
            self._mark_kept(snapshot)
        except (NotFoundError, StorageError):
            kept = list_snapshots([self._archive], drafts=True)
            if any(one.id == snapshot.id for one in kept):  # or else it was deleted meanwhile
                raise
        self._purge(snapshot)

    def _mark_kept(self, snapshot: Snapshot) -> None:
        renamed = {self._renamed.get(name, name) for name in snapshot.files}
        clean = sorted(name for name in renamed if name is not None)
        left = measure(StepsTables(self._archive), clean, snapshot.choice, snapshot.read_keys())
        mark_erased(snapshot, self._id, snapshot.rows - left.rows, self._renamed)

    def _purge(self, snapshot: Snapshot) -> None:
        if self._cache_folder is not None:
            purge(self._cache_folder, [snapshot.id])

    def _remove_files(self) -> None:
        """Remove the files that hold erased rows, which no version has any more.

        A snapshot that somebody was about to keep of older files is given clean ones first.
        """
        self._mend_snapshots()
        limit = datetime.now(UTC) - _WRITING
        remove_partial_files(self._archive.store, limit, dry_run=False)
        remove_stale(self._archive, limit, dry_run=False)
        for table in held_tables(self._archive):
            current = table.current()
            self._remove_torn(table, current)
            for name in self._dirty(table, (name for name in table.stored() if name not in current)):
                table.log.store.remove(name)
                self._report.removed_files += 1
                _remove_empty_folders(table, name)

    def _remove_torn(self, table: HeldTable, current: set[str]) -> None:
        """Remove what a kill has left half written, and count what may be being written just now."""
        limit = datetime.now(UTC) - _WRITING
        for file in table.stored_files():
            if file.name not in current and not is_readable(table.log, file.name):
                if file.modified < limit:
                    table.log.store.remove(file.name)
                    self._report.removed_files += 1
                else:
                    self._unfinished += 1

    def _repeat(self, action: Any) -> None:
        hint = f"Finish it when they rest: replaylake maintain erase {self._archive.name} --resume"
        undisturbed(self._archive.name, action, hint)

    def _remains(self) -> Iterator[str]:
        """Say what this erasure cannot reach."""
        yield "the stream: its messages stay until its own retention takes them"
        yield "the state of publishing and of timelines, on the machines that published"
        yield "models that were trained from the snapshots named here, and what was exported"
        yield "caches of these snapshots on other machines"
        for snapshot in list_snapshots([self._archive], drafts=True):
            if any(names_agent(text, self._tombstone) for text in snapshot.choice.texts):
                yield f"the condition of the snapshot {snapshot.id}, which names an agent"
        if self._unfinished:
            yield f"{self._unfinished} files that are not whole: a vacuum takes those of dead writers"
        if self._report.touched.get("undecoded"):
            count = self._report.touched["undecoded"]
            yield f"{count} rows of quarantine that did not decode: no condition can judge them"


def _remove_empty_folders(table: HeldTable, name: str) -> None:
    """Remove the folders of a partition that is empty by now, for their names say who was in it."""
    store = table.log.store
    if not isinstance(store, LocalStore) or len(table.log.partition_by) < 2:
        return
    folder = (store.folder / name).parent
    for _ in table.log.partition_by[1:]:  # not that of the day: it tells of nobody
        try:
            folder.rmdir()
        except OSError:  # something is in it
            return
        folder = folder.parent
