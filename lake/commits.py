"""One Delta table that is only appended to, together with the stream positions of what it holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from lake.files import check_folder, storage_errors
from lake.parquet import WrittenFile, remove_files, write_files
from schemas.errors import CommitConflictError, NotFoundError, StorageError
from schemas.protocols import Move

_RETRIES = 50  # appends of others stand before ours: each costs one attempt
_REPEAT = "Refresh, seek and repeat."
_T = TypeVar("_T")


class CommitLog:
    """Append to a Delta table through one pinned version of it.

    A commit is made as the version after the pinned one, or refused by Delta because another writer was
    there first. Then the handle is refreshed, and tries again if the positions still are as they were.
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

    @staticmethod
    def is_table(folder: Path) -> bool:
        """Say whether a table is there."""
        return (folder / "_delta_log").is_dir()

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

    def file_sizes(self) -> list[tuple[str, int, int]]:
        """Return each file's path, its rows and its bytes, in the order in which they were written."""
        with self._lock:
            actions = pa.table(self._translated(lambda: self._table.get_add_actions(flatten=True)))
        written = actions.sort_by([("modification_time", "ascending"), ("path", "ascending")])
        names, rows, sizes = (written[name].to_pylist() for name in ("path", "num_records", "size_bytes"))
        return [
            (str(self._folder / unquote(name)), count or 0, size)  # here the library escapes what we wrote
            for name, count, size in zip(names, rows, sizes, strict=True)
        ]

    def commits(self) -> list[dict[str, Any]]:
        """Return what the log still tells of each commit, oldest first: version, timestamp, its metadata."""
        with self._lock:
            return self._translated(self._table.history)[::-1]

    def position(self, app_id: str) -> int:
        """Return the last offset that landed for the app id, or -1."""
        with self._lock:
            version = self._table.transaction_version(app_id)
        return -1 if version is None else version

    def append(
        self,
        rows: pa.Table,
        moves: Mapping[str, Move],
        metadata: Mapping[str, str],
        *,
        onto: int | None = None,
    ) -> int:
        """Append rows, none at all too, and move positions, in one commit; return a version that has it.

        Raise CommitConflictError where a position is not `before` any more, or where `onto` is given and
        the newest version is another one: nothing was written then. After another StorageError the commit
        may be there or not: refresh, and look at the positions.
        """
        self._check_columns(rows)
        self._check(moves, onto)
        written = write_files(self._folder, rows, self.partition_by)
        properties = CommitProperties(
            app_transactions=[
                Transaction(app_id, move.after) for app_id, move in moves.items() if move.after != move.before
            ],
            custom_metadata=dict(metadata),
            # Delta would put our commit behind those of others unseen: we look at the positions between.
            max_commit_retries=0,
        )
        try:
            with self._lock:
                for _ in range(_RETRIES):
                    self._check(moves, onto)  # another thread or attempt may have refreshed
                    if self._write(written, properties):
                        break
                    self.refresh()
                    self._check_columns(rows)
                else:
                    raise CommitConflictError(f"Others committed first, {_RETRIES} times.", hint=_REPEAT)
                self.refresh()  # a commit leaves the handle on the version before it
                return self.version
        except CommitConflictError:
            remove_files(written)
            raise

    def _write(self, written: Sequence[WrittenFile], properties: CommitProperties) -> bool:
        """Commit as the version after ours; False where another writer has made that one."""
        try:
            self._translated(
                lambda: self._table.create_write_transaction(
                    [file.action for file in written],
                    "append",
                    self._table.schema(),
                    self.partition_by,
                    commit_properties=properties,
                )
            )
        except CommitConflictError:
            return False
        return True

    def check_positions(self, moves: Mapping[str, Move]) -> None:
        """Raise CommitConflictError where a position of the pinned version is not `before`."""
        for app_id, move in moves.items():
            stored = self.position(app_id)
            if stored != move.before or move.after < stored:
                raise CommitConflictError(
                    f"The position of {app_id} is {stored}, not {move.before}, from where it was to move "
                    f"to {move.after}.",
                    hint=_REPEAT,
                )

    def _check(self, moves: Mapping[str, Move], onto: int | None) -> None:
        if onto is not None and self.version != onto:
            raise CommitConflictError(f"The version is {self.version}, not {onto}.", hint=_REPEAT)
        self.check_positions(moves)

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
            f"Another writer committed first: {_first_line(exc)}.", hint=_REPEAT
        ) from exc
    except (DeltaError, OSError) as exc:
        raise StorageError(
            f"The lake's storage refused: {_first_line(exc)}.",
            hint="Check that the folder is there, is writable and has room.",
        ) from exc


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0].rstrip(".") or type(exc).__name__
