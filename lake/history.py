"""The versions of a table, as far as its log tells: what was done, and which of them can still be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lake.cold import cold_position, cold_store
from lake.horizon import oldest_version
from lake.table_log import TableLog
from lake.tables import ArchiveTables
from schemas.errors import NotFoundError, StorageError, UsageError
from schemas.protocols import TableName

# Commits that Delta's library makes of its own carry no origin of ours.
_OPERATIONS: Final = {"CREATE TABLE": "create", "ADD COLUMN": "evolve", "SET TBLPROPERTIES": "settings"}


@dataclass(frozen=True, slots=True)
class TableVersion:
    """Hold what one version of a table changed; amounts that its log does not tell any more are None."""

    version: int
    at: datetime
    done: str  # ingest, append, replay, compaction, retention, erasure, evolve and so on
    columns: tuple[str, ...]  # that came with it
    rows_added: int | None
    rows_removed: int | None
    files_added: int | None
    files_removed: int | None
    is_readable: bool  # no vacuum and no erasure has removed its files

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {**asdict(self), "at": self.at.isoformat()}


def archive_versions(
    archive: ArchiveTables, table: TableName = "steps", limit: int | None = None
) -> list[TableVersion]:
    """List the versions of a table, newest first: the newest ones with a limit, else all that its log tells.

    Rows that compaction rewrites are removed and added, and those that move to the cold table are removed.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"{limit} versions cannot be listed.", hint="Ask for one or more.")
    log = archive.table(table)
    is_readable = _reader(archive, log, table)
    amounts = _Amounts(log)
    found = []
    for commit in log.commits(limit):  # oldest first: of files that go the rows were told when they came
        version = int(commit["version"])
        at = datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)
        counts = amounts.of(version)
        found.append(
            TableVersion(version, at, _done(commit), _columns(commit), *counts, is_readable(version))
        )
    return found[::-1]


class _Amounts:
    """Count the rows and files that versions add and remove, of which each is asked for after older ones."""

    def __init__(self, log: TableLog) -> None:
        self._log = log
        self._rows: dict[str, int] = {}

    def of(self, version: int) -> tuple[int | None, int | None, int | None, int | None]:
        changed = self._log.changed(version)
        if changed is None:
            return None, None, None, None
        added, removed = changed
        if not self._rows.keys() >= set(removed):
            self._rows |= self._before(version)
        self._rows |= added
        gone = sum(self._rows[name] for name in removed) if self._rows.keys() >= set(removed) else None
        return sum(added.values()), gone, len(added), len(removed)

    def _before(self, version: int) -> Mapping[str, int]:
        """Return the rows of each file that was there before a version, where the log still tells."""
        try:
            return {name: rows for name, rows, _ in TableLog(self._log.store, version - 1).file_sizes()}
        except (NotFoundError, StorageError):
            return {}


def _reader(archive: ArchiveTables, log: TableLog, table: TableName) -> Callable[[int], bool]:
    """Return what tells whether a version can be read, of steps with the cold rows that it names."""
    oldest = oldest_version(log.store)
    cold = cold_store(archive) if table == "steps" else None
    oldest_cold = 0 if cold is None else oldest_version(cold)

    def is_readable(version: int) -> bool:
        if version < oldest:
            return False
        if not oldest_cold:
            return True
        named = log.at(version).position(cold_position(archive.name))
        return named < 0 or named >= oldest_cold

    return is_readable


def _done(commit: Mapping[str, Any]) -> str:
    operation = str(commit.get("operation", ""))
    return str(
        commit.get("replaylake.origin") or _OPERATIONS.get(operation) or operation.lower() or "unknown"
    )


def _columns(commit: Mapping[str, Any]) -> tuple[str, ...]:
    fields = commit.get("operationParameters", {}).get("fields", "[]")
    return tuple(field["name"] for field in json.loads(fields)) if _done(commit) == "evolve" else ()
