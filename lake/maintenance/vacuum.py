"""Vacuum: remove the files that no version younger than a time, no snapshot and no running writer needs.

Delta's own vacuum knows nothing of snapshots, so it must never run over these tables.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from lake.cold import COLD, cold_position, cold_store
from lake.commits import CommitLog
from lake.horizon import oldest_version, set_oldest_version
from lake.maintenance.leftovers import remove_partial_files
from lake.snapshots import drop_drafts, held_files, remove_stale
from lake.stores import Store, StoredFile
from lake.table_log import commit_file
from lake.tables import ArchiveTables
from schemas.errors import UsageError

KEEP = timedelta(days=7)
GRACE = timedelta(days=1)
_COMMIT = re.compile(r"_delta_log/(\d{20})\.json")
_DIED_COMMIT = re.compile(r"_delta_log/(_commit_.*\.tmp|.*#\d+)")


@dataclass(slots=True)
class TableVacuum:
    """Count what was removed of one table; `oldest_version` is the first that can be read since."""

    files: int = 0
    bytes: int = 0
    held: int = 0  # files that are in no version any more, and that snapshots need
    waiting: int = 0  # files that nothing names, and that are too young: a writer may be about to commit them
    oldest_version: int = 0


@dataclass(slots=True)
class VacuumReport:
    """Say what a vacuum of an archive removed, or in a dry run would have."""

    archive: str
    dry_run: bool = False
    tables: dict[str, TableVacuum] = field(default_factory=dict)
    leftovers: int = 0  # files that somebody died writing

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON-ready values."""
        return asdict(self)


def vacuum_archive(
    archive: ArchiveTables, *, keep: timedelta = KEEP, grace: timedelta = GRACE, dry_run: bool = False
) -> VacuumReport:
    """Remove what nothing needs, and say how much it was.

    Versions that were the newest at any time within `keep` can be read afterwards, older ones only as far as
    snapshots hold them. What nothing names is removed once it is older than `grace`: until then a running
    writer may commit it. Ages are told by the store's own clock.
    """
    if min(keep, grace) < timedelta(0):
        raise UsageError("A vacuum cannot keep what is yet to come.", hint="Give a time of 0 or more.")
    report = VacuumReport(archive.name, dry_run)
    # A dry run writes nothing, so that it has only this machine's clock.
    now = datetime.now(UTC) if dry_run else _time_of(archive.store)
    drafts = drop_drafts(archive, now - grace, dry_run=dry_run)  # first: they hold files no more
    ended = drafts if dry_run else ()  # which another one may be making again by now
    for name, store in _tables(archive):
        report.tables[name] = _Sweep(archive, name, store, now, keep, grace, ended).run(dry_run)
    report.leftovers = len(drafts) + remove_partial_files(archive.store, now - grace, dry_run)
    report.leftovers += remove_stale(archive, now - grace, dry_run=dry_run, besides=ended)
    return report


def _tables(archive: ArchiveTables) -> Iterator[tuple[str, Store]]:
    for name in ("steps", "quarantine", "episodes"):
        store = archive.store.below(name)
        if CommitLog.is_table(store):
            yield name, store
    cold = cold_store(archive)
    if cold is not None and CommitLog.is_table(cold):
        yield "cold", cold


class _Sweep:
    """Look through the folder of one table."""

    def __init__(
        self,
        archive: ArchiveTables,
        name: str,
        store: Store,
        now: datetime,
        keep: timedelta,
        grace: timedelta,
        ended: Collection[str],
    ) -> None:
        """Prepare it; drafts of snapshots that have `ended` hold nothing any more."""
        self._archive = archive
        self._ended = ended
        self._name = name
        self._store = store
        self._kept_since = now - keep
        self._young_since = now - grace

    def run(self, dry_run: bool) -> TableVacuum:
        """Remove what nothing needs."""
        listed = list(self._store.files())  # before the log is read: what is committed from now on is young
        log = CommitLog(self._store)
        oldest, named = self._named(log, listed)
        surplus = [file for file in listed if _may_go(file.name) and file.name not in named]
        # Last, for a snapshot that was just made is of files that were in the table.
        held = self._held()
        free = [file for file in surplus if file.name not in held]
        old = [file for file in free if file.modified <= self._young_since]
        waiting = len(free) - len(old)
        if not dry_run:
            old = self._condemned(log, old)
            if old:
                set_oldest_version(self._store, oldest)  # first: nobody may find files missing unsaid
            for file in old:
                self._store.remove(file.name)
        return TableVacuum(
            files=len(old),
            bytes=sum(file.size for file in old),
            held=len(surplus) - len(free),
            waiting=waiting,
            oldest_version=max(oldest, oldest_version(self._store)) if old else oldest_version(self._store),
        )

    def _condemned(self, log: CommitLog, old: list[StoredFile]) -> list[StoredFile]:
        """Return the files that nobody can commit any more.

        A writer that takes longer than the grace commits before this, and then its files are seen here, or
        after it, and then it is refused.
        """
        if all(_DIED_COMMIT.fullmatch(file.name) for file in old):
            return old
        seen = log.version
        log.condemn(self._young_since)
        named: set[str] = set()
        for version in range(seen + 1, log.version + 1):
            named |= _named_by(self._store.read(commit_file(version)))
        return [file for file in old if file.name not in named]

    def _named(self, log: CommitLog, listed: list[StoredFile]) -> tuple[int, set[str]]:
        """Return the first version that has to be readable, and the files of it and of all that follow."""
        named = set(log.file_names())
        commits = {
            int(match[1]): file
            for file in listed
            if (match := _COMMIT.fullmatch(file.name)) is not None and int(match[1]) <= log.version
        }
        passed = [version for version, file in commits.items() if file.modified <= self._kept_since]
        oldest = max(passed, default=min(commits, default=log.version))
        if self._name == "cold":  # of which the newest version need not be the one that counts
            counting = self._archive.table("steps").position(cold_position(self._archive.name))
            if 0 <= counting < oldest:
                oldest = counting
                named |= set(log.at(counting).file_names())
        for version, file in commits.items():
            if version > oldest:
                named |= _named_by(self._store.read(file.name))
        return oldest, named

    def _held(self) -> set[str]:
        if self._name not in ("steps", "cold"):
            return set()
        names = held_files(self._archive, self._ended)
        cold = {name.removeprefix(COLD) for name in names if name.startswith(COLD)}
        return cold if self._name == "cold" else {name for name in names if not name.startswith(COLD)}


def _may_go(name: str) -> bool:
    return not name.startswith("_") or _DIED_COMMIT.fullmatch(name) is not None


def _named_by(commit: bytes) -> set[str]:
    """Return the files that a commit added or took out."""
    actions = [json.loads(line) for line in commit.splitlines()]
    found = [action.get("add") or action.get("remove") for action in actions]
    paths = [action["path"] for action in found if action]
    return {*paths, *map(unquote, paths)}


def _time_of(archive: Store) -> datetime:
    """Return what time it is by the clock of the store."""
    place, name = archive.below(".clock"), uuid.uuid4().hex
    place.write(name, b"now")
    times = {file.name: file.modified for file in place.files()}
    for other, written in times.items():
        if other == name or written < times[name] - GRACE:  # whose writer died
            place.remove(other)
    return times[name]
