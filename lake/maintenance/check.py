"""The integrity check: is everything there that an archive says it has, and is it what it says?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lake.cold import COLD, StepsTables, cold_position, cold_store
from lake.commits import CommitLog
from lake.episodes import EpisodeLog, audited_schema
from lake.maintenance.check_report import CheckReport, Problem
from lake.maintenance.doubled_keys import doubled_keys
from lake.maintenance.table_check import RESTORE, CheckedTable, TableCheck
from lake.replay_log import ReplayLog
from lake.snapshots import list_snapshots
from lake.spec_log import newest_spec
from lake.tables import ArchiveTables
from schemas.errors import ReplayLakeError, StorageError
from schemas.protocols import TableName
from schemas.step import quarantine_schema, steps_schema

_RESTORE_ALL = "Restore the archive from one copy, whole."


def check_archive(
    archive: ArchiveTables,
    *,
    deep: bool = False,
    on_progress: Callable[[str], None] = lambda table: None,
) -> CheckReport:
    """Compare what is stored with what the tables' logs say, at the newest version, and change nothing.

    Files are looked at from outside and by their footers; `deep` reads all rows: every checksum, the day of
    every step, and whether any key is there twice, on whichever days, hot or cold.
    """
    report = CheckReport(archive.name, deep)
    found = report.problems
    episodes = EpisodeLog(archive)  # opened before the tables: its positions are never ahead of them
    tables = _tables(archive, episodes)
    sound: set[str] = set()
    for table in tables:
        on_progress(table.name)
        check = TableCheck(table)
        report.files += len(check.files)
        report.rows += sum(rows for _, rows, _ in check.files)
        report.bytes += sum(size for _, _, size in check.files)
        problems = list(check.problems(deep=deep))
        found += problems
        if not problems:
            sound.add(table.name)
    if deep and "steps" in sound:
        on_progress("keys")
        steps = StepsTables(archive, tables[0].log)
        names = [name for name in steps.file_names() if "cold" in sound or not name.startswith(COLD)]
        found += doubled_keys(archive.name, steps, names)
    on_progress("snapshots")
    found += _audits(episodes, tables)
    found += _replays(archive, tables[0].log)
    found += _snapshots(archive)
    return report


def _tables(archive: ArchiveTables, episodes: EpisodeLog) -> list[CheckedTable]:
    spec, _ = newest_spec(archive.store, archive.name)
    steps = archive.table("steps")
    tables = [
        CheckedTable("steps", steps, steps_schema(spec), dated_by_event=True),
        CheckedTable("quarantine", archive.table("quarantine"), quarantine_schema(spec)),
    ]
    if episodes.table is not None:
        tables.append(CheckedTable("episodes", episodes.table, audited_schema()))
    version = steps.position(cold_position(archive.name))
    store = cold_store(archive)
    if store is not None and version >= 0:
        cold = CommitLog(store).at(version)
        tables.append(CheckedTable("cold", cold, cold.schema, dated_by_event=True))
    return tables


def _audits(episodes: EpisodeLog, tables: list[CheckedTable]) -> Iterator[Problem]:
    names: tuple[TableName, ...] = ("steps", "quarantine")
    for name, table in zip(names, tables, strict=False):
        position = episodes.position(name)
        if position > table.log.version:
            what = f"audits have looked up to version {position} of {name}, which ends at {table.log.version}"
            yield Problem("audits_ahead", "episodes", "", what, _RESTORE_ALL)


def _replays(archive: ArchiveTables, steps: CommitLog) -> Iterator[Problem]:
    try:
        for _ in ReplayLog(archive, steps).lists().read():
            pass
    except (ReplayLakeError, FileNotFoundError) as exc:
        yield Problem("replay_list_lost", "replays", "", str(exc), _RESTORE_ALL)


def _snapshots(archive: ArchiveTables) -> Iterator[Problem]:
    """Look whether the files that snapshots need are there."""
    stored = {file.name for file in archive.store.below("steps").files()}
    try:
        cold = cold_store(archive)
        stored |= set() if cold is None else {COLD + file.name for file in cold.files()}
        snapshots = list_snapshots([archive])
    except StorageError as exc:
        yield Problem("unreadable", "snapshots", "", str(exc), RESTORE)
        return
    for snapshot in sorted(snapshots, key=lambda snapshot: snapshot.id):
        for file in sorted(set(snapshot.files) - stored):
            what = f"the snapshot {snapshot.id} needs the file, and it is not there"
            yield Problem("missing_file", "snapshots", file, what, RESTORE)
