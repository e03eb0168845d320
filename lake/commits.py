"""One Delta table that is only appended to, together with the stream positions of what it holds."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from lake.parquet import (
    WrittenFile,
    partition_values,
    read_batches,
    read_file,
    remove_files,
    write_files,
)
from lake.stores import Store
from schemas.errors import AlreadyExistsError, CommitConflictError, NotFoundError, StorageError
from schemas.protocols import Move

_RETRIES = 50  # appends of others stand before ours: each costs one attempt
_ADDED = b"replaylake.added"
_REPEAT = "Refresh, seek and repeat."
_T = TypeVar("_T")


class CommitLog:
    """Append to a Delta table through one pinned version of it.

    A commit is made as the version after the pinned one, or refused by Delta because another writer was
    there first. Then the handle is refreshed, and tries again if the positions still are as they were.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # The library's handle locks itself while it holds Python's lock: threads must queue up before it.
        self._lock = threading.RLock()
        self._table: DeltaTable = self._translated(self._open)
        self._names_at_first = frozenset(self.schema.names)

    @classmethod
    def create(cls, store: Store, schema: pa.Schema, partition_by: Sequence[str]) -> CommitLog:
        """Make an empty table, or take the one that is there with these columns, if nothing landed in it yet.

        So of several who make it at once each gets it, and who died halfway is taken over from. Raise
        AlreadyExistsError for any other table.
        """
        with suppress(CommitConflictError):  # somebody else was faster by a hair
            _translated(
                store,
                lambda: DeltaTable.create(
                    _location(store),
                    schema,
                    mode="ignore",
                    partition_by=list(partition_by),
                    storage_options=dict(store.options),
                ),
            )
        made = cls(store)
        if made.version > 0 or not _alike(made.schema, schema) or made.partition_by != list(partition_by):
            raise AlreadyExistsError(
                "table", store.url, hint="Choose another name, or remove what an earlier try has left there."
            )
        return made

    @staticmethod
    def is_table(store: Store) -> bool:
        """Say whether a table is there."""
        return _translated(store, lambda: DeltaTable.is_deltatable(_location(store), dict(store.options)))

    @property
    def store(self) -> Store:
        """Where the table's files are."""
        return self._store

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

    @property
    def added_columns(self) -> list[str]:
        """The columns that came to the table after it was made: a file may lack them."""
        return [field.name for field in self.schema if _ADDED in (field.metadata or {})]

    def at(self, version: int) -> CommitLog:
        """Return a handle on an older version: Delta refuses to move through it what was moved since."""
        older = CommitLog(self._store)
        older._translated(lambda: older._table.load_as_version(version))
        return older

    def refresh(self) -> None:
        """Pin the newest version."""
        with self._lock:
            self._translated(self._table.update_incremental)

    def uris(self, names: Sequence[str]) -> list[str]:
        """Return what other libraries open files of the table by."""
        root = self._store.uri("").rstrip("/")
        return [f"{root}/{name}" for name in names]

    def file_names(self, predicate: str | None = None) -> list[str]:
        """Return the version's files, relative to the table; a predicate leaves out those without a match."""
        with self._lock:
            root = self._table.table_uri.removeprefix("file://").rstrip("/") + "/"
            uris = self._translated(lambda: self._table.file_uris(file_pruning_predicate=predicate))
        # In the root's part some characters are escaped, in the rest none.
        return sorted(uri.removeprefix("file://").removeprefix(root) for uri in uris)

    def file_sizes(self) -> list[tuple[str, int, int]]:
        """Return each file's name, its rows and its bytes, in the order in which they were written."""
        with self._lock:
            actions = pa.table(self._translated(lambda: self._table.get_add_actions(flatten=True)))
        written = actions.sort_by([("modification_time", "ascending"), ("path", "ascending")])
        names, rows, sizes = (written[name].to_pylist() for name in ("path", "num_records", "size_bytes"))
        return [
            (unquote(name), count or 0, size)  # here the library escapes what we wrote
            for name, count, size in zip(names, rows, sizes, strict=True)
        ]

    def commits(self) -> list[dict[str, Any]]:
        """Return what the log still tells of each commit, oldest first: version, timestamp, its metadata."""
        with self._lock:
            return self._translated(self._table.history)[::-1]

    def added(self, since: int) -> list[str] | None:
        """Name the files with new rows that came after a version; None where the log does not tell any more.

        Files that hold rewritten rows are none of them. One of these may be out of the table by now, and
        stays where it is stored until a vacuum.
        """
        names: list[str] = []
        for version in range(since + 1, self.version + 1):
            try:
                lines = self._store.read(f"_delta_log/{version:020d}.json").splitlines()
            except FileNotFoundError:
                return None
            adds = [json.loads(line).get("add") for line in lines]
            names += [unquote(add["path"]) for add in adds if add and add["dataChange"]]
        return names

    def position(self, app_id: str) -> int:
        """Return the last offset that landed for the app id, or -1."""
        with self._lock:
            version = self._table.transaction_version(app_id)
        return -1 if version is None else version

    def read(
        self, name: str, columns: Sequence[str] | None = None, chosen: ds.Expression | None = None
    ) -> pa.Table:
        """Read columns of one of the table's files, all without a choice, as the table has them now."""
        schema = self.schema
        return read_file(self._store, name, schema, columns or schema.names, self.partition_by, chosen)

    def batches(self, name: str, columns: Sequence[str] | None, rows: int) -> Iterator[pa.Table]:
        """Iterate over columns of one of the table's files, so many rows at a time."""
        schema = self.schema
        return read_batches(self._store, name, schema, columns or schema.names, self.partition_by, rows)

    def append(
        self,
        rows: pa.Table,
        moves: Mapping[str, Move],
        metadata: Mapping[str, str],
        *,
        onto: int | None = None,
    ) -> int:
        """Append rows, none at all too, and move positions, in one commit; return a version that has it.

        Columns that came to the table since this was opened may be lacking: they are null then. Raise
        CommitConflictError where a position is not `before` any more, or where `onto` is given and
        the newest version is another one: nothing was written then. After another StorageError the commit
        may be there or not: refresh, and look at the positions.
        """
        conformed = self._conformed(rows)
        self._check(moves, onto)
        written = write_files(self._store, conformed, self.partition_by)
        actions = [file.action for file in written]

        def check() -> None:
            self._conformed(rows)
            self._check(moves, onto)

        return self._commit(actions, written, moves, metadata, check)

    def rewrite(
        self,
        removed: Sequence[str],
        written: Sequence[WrittenFile],
        moves: Mapping[str, Move],
        metadata: Mapping[str, str],
        *,
        loses_rows: bool = False,
    ) -> int:
        """Put written files in the place of files of the table, in one commit; return a version that has it.

        The files taken out stay where they are stored, for those who read older versions. Whoever rewrites
        moves a position that all rewrites share: of two at once one is refused. `loses_rows` says that
        not the same rows are there afterwards. Raise CommitConflictError where a position is not `before` any
        more, or a removed file not in the table: nothing was changed then, and what was written is removed.
        """
        at = int(time.time() * 1000)
        partition_by = self.partition_by
        actions: list[AddAction | RemoveAction] = [
            RemoveAction(name, loses_rows, at, None, partition_values(name, partition_by)) for name in removed
        ]
        actions += [file.action for file in written]

        def check() -> None:
            self._check(moves, None)
            gone = set(removed) - set(self.file_names())
            if gone:
                raise CommitConflictError(
                    f"The file {min(gone)} is not in the table any more.", hint="Look again at what is there."
                )

        return self._commit(actions, written, moves, metadata, check)

    def add_columns(self, fields: Sequence[pa.Field]) -> None:
        """Add columns, null in all rows that are there; those that are there already are left alone.

        Raise AlreadyExistsError for a column that is there with another type.
        """
        for _ in range(_RETRIES):
            held = self.schema
            for field in fields:
                if field.name in held.names and not _alike(pa.schema([held.field(field.name)]), [field]):
                    raise AlreadyExistsError("column", field.name, hint="Give the new column another name.")
            missing = [
                field.with_nullable(True).with_metadata({_ADDED: b"true"})
                for field in fields
                if field.name not in held.names
            ]
            if not missing:
                return
            with self._lock, suppress(CommitConflictError):
                added = Schema.from_arrow(pa.schema(missing)).fields
                self._translated(partial(self._table.alter.add_columns, added))
            self.refresh()
        raise CommitConflictError(f"Others committed first, {_RETRIES} times.", hint=_REPEAT)

    def _commit(
        self,
        actions: Sequence[AddAction | RemoveAction],
        written: Sequence[WrittenFile],
        moves: Mapping[str, Move],
        metadata: Mapping[str, str],
        check: Callable[[], None],
    ) -> int:
        """Commit as the next version for which `check` does not raise; return one that has it."""
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
                    check()  # another thread or attempt may have refreshed
                    if self._write(actions, properties):
                        break
                    self.refresh()
                else:
                    raise CommitConflictError(f"Others committed first, {_RETRIES} times.", hint=_REPEAT)
                self.refresh()  # a commit leaves the handle on the version before it
                return self.version
        except CommitConflictError:
            remove_files(self._store, written)
            raise

    def _write(self, actions: Sequence[AddAction | RemoveAction], properties: CommitProperties) -> bool:
        """Commit as the version after ours; False where another writer has made that one."""
        try:
            self._translated(
                lambda: self._table.create_write_transaction(
                    list(actions),
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

    def _conformed(self, rows: pa.Table) -> pa.Table:
        """Return rows with the table's columns, in its order; refuse rows of other columns.

        Delta takes files as they are, and no reader could read them.
        """
        wanted = self.schema
        lacking = [name for name in wanted.names if name not in rows.column_names]
        if set(lacking) <= set(wanted.names) - self._names_at_first:
            for name in lacking:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, wanted.field(name).type))
            if sorted(rows.column_names) == sorted(wanted.names):
                rows = rows.select(wanted.names)
                if _alike(rows.schema, wanted):
                    return rows
        raise StorageError(
            f"The columns {rows.schema.names} are not those of the table {self._store.url}: {wanted.names}.",
            hint="Land rows with the columns and types of the archive's spec.",
        )

    def _open(self) -> DeltaTable:
        return DeltaTable(_location(self._store), storage_options=dict(self._store.options))

    def _translated(self, action: Callable[[], _T]) -> _T:
        return _translated(self._store, action)


def _translated(store: Store, action: Callable[[], _T]) -> _T:
    """Run an action of the Delta library; raise its errors as ours."""
    try:
        return action()
    except TableNotFoundError as exc:
        raise NotFoundError("table", store.url) from exc
    except CommitFailedError as exc:
        raise CommitConflictError(
            f"Another writer committed first: {_first_line(exc)}.", hint=_REPEAT
        ) from exc
    except (DeltaError, OSError) as exc:
        raise StorageError(
            f"The lake's storage refused: {_first_line(exc)}.",
            hint="Check that the place is there, is writable and has room.",
        ) from exc


def _location(store: Store) -> str:
    return store.uri("").rstrip("/")


def _alike(schema: pa.Schema, other: pa.Schema | Sequence[pa.Field]) -> bool:
    """Say whether columns have the same names and types; whether they may be null is one for all."""
    fields = list(other)
    return schema.names == [field.name for field in fields] and all(
        map(pa.DataType.equals, schema.types, [field.type for field in fields])
    )


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0].rstrip(".") or type(exc).__name__
