"""One Delta table that is only appended to, together with the stream positions of what it holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from lake.files import check_folder, storage_errors
from lake.parquet import remove_files, write_files
from schemas.errors import CommitConflictError, NotFoundError, StorageError
from schemas.protocols import Move

_RETRIES = 50  # appends of others merge with ours: each costs one attempt
_T = TypeVar("_T")


class CommitLog:
    """Append to a Delta table through one pinned version of it.

    A commit through a version that another writer of the same app id has passed is refused by Delta.
    Through a newer one it would be accepted silently, so the positions are compared after each refresh.
    """

    def __init__(self, folder: Path) -> None:
        check_folder(folder)
        self._folder = folder.resolve()
        # The library's handle locks itself while it holds Python's lock: threads must queue up before it.
        self._lock = threading.RLock()
        self._table: DeltaTable = self._translated(lambda: DeltaTable(str(self._folder)))

    @classmethod
    def create(cls, folder: Path, schema: pa.Schema, partition_by: Sequence[str]) -> CommitLog:
        """Make an empty table in a new folder."""
        check_folder(folder)
        with storage_errors(f"create {folder}"):
            folder.mkdir(parents=True)
        _translated(folder, lambda: DeltaTable.create(str(folder), schema, partition_by=list(partition_by)))
        return cls(folder)

    @property
    def folder(self) -> Path:
        """The table's folder, absolute and without links."""
        return self._folder

    @property
    def version(self) -> int:
        """The version that this handle is pinned to."""
        with self._lock:
            return self._table.version()

    @property
    def partition_by(self) -> list[str]:
        """The partition columns, `date` first."""
        with self._lock:
            return list(self._table.metadata().partition_columns)

    @property
    def schema(self) -> pa.Schema:
        """The columns, partition columns too."""
        with self._lock:
            return pa.schema(self._table.schema().to_arrow())

    def at(self, version: int) -> CommitLog:
        """Return a handle on an older version: Delta refuses to move through it what was moved since."""
        older = CommitLog(self._folder)
        older._translated(lambda: older._table.load_as_version(version))
        return older

    def refresh(self) -> None:
        """Pin the newest version."""
        with self._lock:
            self._translated(self._table.update_incremental)

    def files(self, predicate: str | None = None) -> list[str]:
        """Return the paths of the version's files; a predicate leaves out those without a match."""
        return [str(self._folder / name) for name in self.file_names(predicate)]

    def file_names(self, predicate: str | None = None) -> list[str]:
        """Return the version's files as `files` does, relative to the table's folder."""
        with self._lock:
            root = self._table.table_uri.removeprefix("file://").rstrip("/") + "/"
            uris = self._translated(lambda: self._table.file_uris(file_pruning_predicate=predicate))
        # In the root's part some characters are escaped, in the rest none.
        return sorted(uri.removeprefix("file://").removeprefix(root) for uri in uris)

    def position(self, app_id: str) -> int:
        """Return the last offset that landed for the app id, or -1."""
        with self._lock:
            version = self._table.transaction_version(app_id)
        return -1 if version is None else version

    def append(self, rows: pa.Table, moves: Mapping[str, Move], metadata: Mapping[str, str]) -> int:
        """Append rows, none at all too, and move positions, in one commit; return a version that has it.

        Raise CommitConflictError where a position is not `before` any more: nothing was written then.
        After another StorageError the commit may be there or not: refresh, and look at the positions.
        """
        self._check_columns(rows)
        self._check_positions(moves)
        partition_by = self.partition_by
        written = write_files(self._folder, rows, partition_by)
        properties = CommitProperties(
            app_transactions=[Transaction(app_id, move.after) for app_id, move in moves.items()],
            custom_metadata=dict(metadata),
            max_commit_retries=_RETRIES,
        )
        try:
            with self._lock:
                self._check_positions(moves)  # another thread may have refreshed the handle meanwhile
                self._translated(
                    lambda: self._table.create_write_transaction(
                        [file.action for file in written],
                        "append",
                        self._table.schema(),
                        partition_by,
                        commit_properties=properties,
                    )
                )
                self.refresh()  # a commit leaves the handle on the version before it
                return self.version
        except CommitConflictError:
            remove_files(written)
            raise

    def _check_positions(self, moves: Mapping[str, Move]) -> None:
        for app_id, move in moves.items():
            stored = self.position(app_id)
            if stored != move.before or move.after <= stored:
                raise CommitConflictError(
                    f"The position of {app_id} is {stored}, not {move.before}, from where it was to move "
                    f"to {move.after}."
                )

    def _check_columns(self, rows: pa.Table) -> None:
        """Refuse rows of other columns: Delta takes files as they are, and no reader could read them."""
        wanted = self.schema
        if rows.schema.names == wanted.names and all(
            map(pa.DataType.equals, rows.schema.types, wanted.types)
        ):
            return
        raise StorageError(
            f"The columns {rows.schema.names} are not those of the table {self._folder}: {wanted.names}.",
            hint="Land rows with the columns and types of the archive's spec.",
        )

    def _translated(self, action: Callable[[], _T]) -> _T:
        return _translated(self._folder, action)


def _translated(folder: Path, action: Callable[[], _T]) -> _T:
    """Run an action of the Delta library; raise its errors as ours."""
    try:
        return action()
    except TableNotFoundError as exc:
        raise NotFoundError("table", str(folder)) from exc
    except CommitFailedError as exc:
        raise CommitConflictError(
            f"Another writer committed first: {_first_line(exc)}.", hint="Refresh, seek and repeat."
        ) from exc
    except (DeltaError, OSError) as exc:
        raise StorageError(
            f"The lake's storage refused: {_first_line(exc)}.",
            hint="Check that the folder is there, is writable and has room.",
        ) from exc


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0].rstrip(".") or type(exc).__name__
