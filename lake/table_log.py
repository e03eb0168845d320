"""One version of a Delta table, to be read: its files, its columns, and the stream positions of its rows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from lake.horizon import oldest_version
from lake.parquet import read_batches, read_file
from lake.stores import Store
from lake.stores.store import REMOTE_HINT
from schemas.errors import CommitConflictError, NotFoundError, StorageError

if TYPE_CHECKING:
    import pyarrow.dataset as ds

ADDED = b"replaylake.added"  # in what is said of a column that is younger than its table
SCRUBBED = "replaylake.scrubbed"  # in what is left of a commit whose doings an erasure took out of the log
REPEAT = "Refresh, seek and repeat."
_T = TypeVar("_T")


class TableLog:
    """Read a Delta table through one pinned version of it."""

    def __init__(self, store: Store, version: int | None = None) -> None:
        """Pin a version, the newest without one."""
        self._store = store
        # The library's handle locks itself while it holds Python's lock: threads must queue up before it.
        self._lock = threading.RLock()
        self._table: DeltaTable = self._translated(
            lambda: DeltaTable(location(store), version=version, storage_options=dict(store.options))
        )

    @staticmethod
    def is_table(store: Store) -> bool:
        """Say whether a table is there."""
        return translated(store, lambda: DeltaTable.is_deltatable(location(store), dict(store.options)))

    @property
    def store(self) -> Store:
        """Where the table's files are."""
        return self._store

    @property
    def stores(self) -> list[Store]:
        """Where the table's files are, as a table in several places says it."""
        return [self._store]

    @property
    def roots(self) -> list[str]:
        """The folders of `stores`, as other libraries call them."""
        return [location(self._store)]

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
        return [field.name for field in self.schema if ADDED in (field.metadata or {})]

    def at(self, version: int) -> Self:
        """Return a handle on an older version: Delta refuses to move through it what was moved since.

        Raise NotFoundError for one whose files a vacuum has removed.
        """
        oldest = oldest_version(self._store)
        if version < oldest:
            raise NotFoundError(
                "version",
                str(version),
                hint=f"A vacuum has removed its files: {self._store.url} reads from version {oldest} on.",
            )
        return type(self)(self._store, version)

    def refresh(self) -> None:
        """Pin the newest version."""
        with self._lock:
            self._translated(self._table.update_incremental)

    def uris(self, names: Sequence[str]) -> list[str]:
        """Return what other libraries open files of the table by."""
        root = location(self._store)
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

    def commits(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Return what the log still tells of each commit, oldest first: version, timestamp, its metadata.

        With a limit of the newest ones alone.
        """
        with self._lock:
            return self._translated(lambda: self._table.history(limit))[::-1]

    def added(self, since: int) -> list[str] | None:
        """Name the files with new rows that came after a version; None where the log does not tell any more.

        Files that hold rewritten rows are none of them. One of these may be out of the table by now, and
        stays where it is stored until a vacuum.
        """
        if since + 1 < oldest_version(self._store):
            return None
        names: list[str] = []
        for version in range(since + 1, self.version + 1):
            actions = self._told(version)
            if actions is None:
                return None
            adds = [action.get("add") for action in actions]
            names += [unquote(add["path"]) for add in adds if add and add["dataChange"]]
        return names

    def changed(self, version: int) -> tuple[dict[str, int], list[str]] | None:
        """Return the files that a version added, with their rows, and those that it took out.

        None where the log does not tell any more.
        """
        actions = self._told(version)
        if actions is None:
            return None
        adds = [action["add"] for action in actions if "add" in action]
        added = {
            unquote(add["path"]): json.loads(add.get("stats") or "{}").get("numRecords", 0) for add in adds
        }
        return added, [unquote(action["remove"]["path"]) for action in actions if "remove" in action]

    def _actions(self, version: int) -> list[dict[str, Any]] | None:
        """Return what the log says of a version, or None where it does not any more."""
        try:
            lines = self._store.read(commit_file(version)).splitlines()
        except FileNotFoundError:
            return None
        return [json.loads(line) for line in lines]

    def _told(self, version: int) -> list[dict[str, Any]] | None:
        """Return likewise what it says, None where an erasure has emptied it, too."""
        actions = self._actions(version)
        if actions is None or any(SCRUBBED in action.get("commitInfo", {}) for action in actions):
            return None
        return actions

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

    def _translated(self, action: Callable[[], _T]) -> _T:
        return translated(self._store, action)


def translated(store: Store, action: Callable[[], _T]) -> _T:
    """Run an action of the Delta library; raise its errors as ours."""
    try:
        return action()
    except TableNotFoundError as exc:
        raise NotFoundError("table", store.url) from exc
    except CommitFailedError as exc:
        raise CommitConflictError(
            f"Another writer committed first: {_first_line(exc)}.", hint=REPEAT
        ) from exc
    except (DeltaError, OSError) as exc:
        raise StorageError(
            f"The lake's storage refused: {_first_line(exc)}.",
            hint=REMOTE_HINT
            if store.is_remote
            else "Check that the place is there, is writable and has room.",
        ) from exc


def commit_file(version: int) -> str:
    """Name the file of a table that tells what a version did."""
    return f"_delta_log/{version:020d}.json"


def location(store: Store) -> str:
    """Return what other libraries call the place of a table by."""
    return store.uri("").rstrip("/")


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0].rstrip(".") or type(exc).__name__
