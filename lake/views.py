"""Views over the files of tables: a DuckDB connection that can read these files, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from lake.cold import StepsTables
from lake.commits import CommitLog
from lake.parquet import partition_values
from lake.replay_log import ReplayLists
from lake.stores.s3 import S3Store
from lake.view_queries import audited_query, columns_shown, quarantine_queries
from schemas.errors import QueryError, StorageError

_READING = "hive_types_autocast = false"
_KIND = re.compile(r"^(\w+ )+Error: ")
_NOT_THERE = re.compile(r'"([^"]+?)(?:/\*\*/\*\.parquet)" - file system operations are disabled')
_GLOB = re.compile(r"[*?[]")


class TableFiles:
    """Name what a view reads: files of one version of a table, by name, and the table's columns.

    `resolved` are the lists of the rows that replays have taken out of quarantine.
    """

    def __init__(
        self,
        log: CommitLog | StepsTables,
        names: Sequence[str] | None = None,
        resolved: ReplayLists | None = None,
    ) -> None:
        self.files = log.uris(log.file_names() if names is None else names)
        self.resolved = [] if resolved is None else resolved.uris
        self.stores = log.stores
        if resolved is not None:
            self.stores.append(resolved.store)
        self.schema = log.schema
        self.partition_by = log.partition_by
        self.added_columns = log.added_columns
        self._roots = log.roots

    @property
    def source(self) -> str:
        """The SQL that reads the files."""
        names = {name.lower() for name in self.schema.names}
        # Of a table that has grown a file may lack columns; asked for them, the engine looks into every file.
        reading = f"{_READING}, union_by_name = {'true' if self.added_columns else 'false'}"
        above = [part for root in self._roots for part in root.split("/")]
        if not any(part.partition("=")[0].lower() in names for part in above if "=" in part):
            return f"read_parquet({_globs(self.files)}, hive_partitioning = true, {reading})"
        # A folder above the table reads like a partition of it: then we say which file is of which one.
        groups: dict[tuple[tuple[str, str | None], ...], list[str]] = {}
        for path in self.files:
            groups.setdefault(tuple(partition_values(path, self.partition_by).items()), []).append(path)
        selects = []
        for values, files in groups.items():
            given = ", ".join(f"{literal(value)}::varchar as {quoted(name)}" for name, value in values)
            found = f"read_parquet({_globs(files)}, hive_partitioning = false, {reading})"
            selects.append(f"select *, {given} from {found}")
        return f"({' union all by name '.join(selects)})"

    @property
    def resolved_source(self) -> str | None:
        """The SQL that reads the lists of what replays have resolved."""
        if not self.resolved:
            return None
        return f"read_parquet({_globs(self.resolved)}, hive_partitioning = false)"


class NoFiles(TableFiles):
    """Stand for a table that is not there yet: it has columns, and no rows."""

    def __init__(self, schema: pa.Schema) -> None:
        self.files = []
        self.resolved = []
        self.stores = []
        self.schema = schema
        self.added_columns = []


def connect(tables: Mapping[str, Mapping[str, TableFiles]]) -> duckdb.DuckDBPyConnection:
    """Open a connection with the views of archives, locked so that it reads their files and no others."""
    connection = open_connection()
    allow_files(connection, [table for views in tables.values() for table in views.values()])
    for name, views in tables.items():
        create_views(connection, name, views)
    lock(connection)
    return connection


def open_connection(settings: Mapping[str, str | int] | None = None) -> duckdb.DuckDBPyConnection:
    """Open an engine of its own, which sees no variable of Python; it is not locked yet."""
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            **(settings or {}),
        }
    )
    connection.execute("set TimeZone = 'UTC'")
    return connection


def allow_files(connection: duckdb.DuckDBPyConnection, tables: Sequence[TableFiles]) -> None:
    """Let a connection read the files of tables, and from now on no others."""
    remote = [store for table in tables for store in table.stores if isinstance(store, S3Store)]
    if remote:
        from lake.stores.filesystem import StoreFilesystem

        connection.register_filesystem(StoreFilesystem(remote))
    paths = list(dict.fromkeys(path for table in tables for path in (*table.files, *table.resolved)))
    patterns = [_escaped(path) for path in paths if _GLOB.search(path)]
    connection.execute(f"set allowed_paths = {_list([*paths, *patterns])}")
    connection.execute("set enable_external_access = false")


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Let nobody change the settings of a connection any more."""
    connection.execute("set lock_configuration = true")


def create_views(connection: duckdb.DuckDBPyConnection, name: str, views: Mapping[str, TableFiles]) -> None:
    """Create the views of an archive over the files of its tables."""
    connection.execute(f"create schema {quoted(name)}")
    for view, table in views.items():
        source = table_source(connection, f"{name}.{view}", table)
        shown = columns_shown(table.schema.names)
        queries = {view: f"select {shown} from {source}"}
        if view == "episodes":
            queries[view] = audited_query(shown, source)
        if view == "quarantine":
            queries = quarantine_queries(shown, source, table.resolved_source)
        for made, query in queries.items():
            create_view(connection, name, made, query)


def create_view(connection: duckdb.DuckDBPyConnection, name: str, view: str, query: str) -> None:
    """Create one view; raise StorageError where a file does not read, for it looks into one already."""
    try:
        connection.execute(f"create view {quoted(name)}.{quoted(view)} as {query}")
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except duckdb.Error as exc:
        raise unreadable(exc) from exc


def table_source(connection: duckdb.DuckDBPyConnection, name: str, table: TableFiles) -> str:
    """Return the SQL that reads a table, which may have no files; `name` is what else nothing is called."""
    empty = quoted(f"empty {name}")
    if not table.files:
        connection.register(f"empty {name}", _nothing(table.schema))
        return empty
    if not table.added_columns:
        return table.source
    added = pa.schema([table.schema.field(column) for column in table.added_columns])
    connection.register(f"empty {name}", _nothing(added))  # all files may be older than they
    return f"(select * from {table.source} union all by name select * from {empty})"


def unreadable(exc: duckdb.Error) -> StorageError:
    """Return the error for a file of a table that is gone or damaged."""
    said = str(exc).partition(chr(10))[0].rstrip(".")
    gone = is_gone(said)
    return StorageError(
        f"A file of the archive does not read: {f'{gone} is not there' if gone else said}.",
        hint="Restore the archive from a copy.",
    )


def refused_condition(condition: str, exc: duckdb.Error, of: str) -> QueryError:
    """Return the error for a condition over the columns of `of` that the engine does not take."""
    said = _KIND.sub("", str(exc).partition("\n")[0]).rstrip(".!") if condition.strip() else "it is empty"
    return QueryError(
        f"The condition {condition!r} does not work: {said}.",
        hint=condition_hint(of),
    )


def condition_hint(of: str) -> str:
    """Say what a condition over the columns of `of` is."""
    return f"It is what stands after WHERE, over the columns of {of}."


def is_gone(said: str) -> str | None:
    """Return the file that the engine says it did not find: it looks for a folder of that name then."""
    found = _NOT_THERE.search(said)
    return found[1] if found else None


def quoted(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | None) -> str:
    """Write a text as SQL has it."""
    return "null" if value is None else "'" + value.replace("'", "''") + "'"


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(literal, values))}]"


def _globs(paths: Sequence[str]) -> str:
    return _list([_escaped(path) for path in paths])


def _escaped(path: str) -> str:
    """Return the pattern that matches the path alone."""
    return _GLOB.sub(lambda sign: f"[{sign[0]}]", path)


def _nothing(schema: pa.Schema) -> pa.Table:
    """Return no rows; an empty_table() would import pandas."""
    return pa.Table.from_batches([], schema)
