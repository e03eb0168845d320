"""The table of an archive's episodes, and how far audits have looked: both move in one commit."""

from __future__ import annotations

import pyarrow as pa

from lake.commits import CommitLog
from lake.tables import ArchiveTables
from lake.views import NoFiles, TableFiles
from schemas.episodes import EPISODES_SCHEMA
from schemas.errors import AlreadyExistsError
from schemas.protocols import Move, TableName
from schemas.step import TIMESTAMP

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

    def __init__(self, archive: ArchiveTables) -> None:
        self._archive = archive
        self.table = archive.table("episodes") if archive.is_audited else None

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
        return f"{self._archive.name}/audit/{table}"

    def _create(self) -> CommitLog:
        """Make the table; of several audits that do so at once each gets the one."""
        try:
            return CommitLog.create(self._archive.store.below("episodes"), audited_schema(), ["date"])
        except AlreadyExistsError:  # and landed in it
            return self._archive.table("episodes")


def episodes_files(archive: ArchiveTables) -> TableFiles:
    """Return the files of what audits said of episodes; there are none before the first audit."""
    return TableFiles(archive.table("episodes")) if archive.is_audited else NoFiles(audited_schema())
