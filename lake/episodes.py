"""The table of an archive's episodes, and how far audits have looked: both move in one commit."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import pyarrow as pa

from lake.commits import CommitLog
from lake.files import storage_errors, sync_folder
from schemas.episodes import EPISODES_SCHEMA
from schemas.errors import NotFoundError, StorageError
from schemas.protocols import Move, TableName
from schemas.step import TIMESTAMP

FOLDER = "episodes"
AUDIT_FIELDS = (
    pa.field("audited_version", pa.int64()),  # of the steps table, as the audit saw it
    pa.field("audited_at", TIMESTAMP),
)


def audited_schema() -> pa.Schema:
    """Return the columns of the table: what an audit says of an episode, and which audit that was."""
    return pa.schema([*EPISODES_SCHEMA, *AUDIT_FIELDS])


class EpisodeLog:
    """Append what audits found to the table of episodes, which is made by the first that does.

    A row is never changed: an episode that has grown gets another one, and the newest counts.
    """

    def __init__(self, archive_folder: Path, archive: str) -> None:
        self._folder = archive_folder / FOLDER
        self._archive = archive
        self.table = CommitLog(self._folder) if CommitLog.is_table(self._folder) else None

    def position(self, table: TableName) -> int:
        """Return the version of a table that audits have looked up to, or -1."""
        return -1 if self.table is None else self.table.position(self._position_id(table))

    def land(self, rows: pa.Table, moves: dict[TableName, Move]) -> None:
        """Append rows, none at all too, and move on what was looked at, in one commit.

        Raise CommitConflictError where another audit has landed since this was opened: nothing of this is
        there then.
        """
        table = self.table or self._create()
        self.table = table
        onto = table.version
        named = {self._position_id(name): move for name, move in moves.items()}
        table.append(rows, named, {"replaylake.origin": "audit"}, onto=onto)

    def _position_id(self, table: TableName) -> str:
        return f"{self._archive}/audit/{table}"

    def _create(self) -> CommitLog:
        """Make the table aside and move it into its place; of several audits the first one's stays."""
        aside = self._folder.with_name(f".creating-{uuid.uuid4().hex}")
        try:
            CommitLog.create(aside, audited_schema(), ["date"])
            with storage_errors(f"create {self._folder}"):
                try:
                    aside.rename(self._folder)
                except OSError:
                    if not CommitLog.is_table(self._folder):
                        raise
                sync_folder(self._folder.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return CommitLog(self._folder)


def added_files(table: CommitLog, since: int) -> list[str] | None:
    """Return the files that came after a version, or None where that version cannot be told any more."""
    if since < 0:
        return table.files()
    try:
        before = set(table.at(since).file_names())
    except (NotFoundError, StorageError):  # its log was cleaned up
        return None
    return [str(table.folder / name) for name in table.file_names() if name not in before]
