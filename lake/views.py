"""Views over the files of tables: a DuckDB connection that can read these files, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from lake.cold import StepsTables
from lake.commits import CommitLog
from lake.parquet import partition_values
from lake.replay_log import RESOLVED_FIELDS, ROW_IDENTITY, ReplayLists
from lake.stores import StoreFilesystem
from lake.stores.s3 import S3Store
from schemas.errors import StorageError

# The names with a blank are ours alone: no extra column can have one.
_TRANSITIONS = """
    select * exclude ("following observation")
        replace (coalesce(next_observation, "following observation") as next_observation)
    from (
        select *,
            if(episode_id is not null and lead(step) over turns = step + 1,
                lead(observation) over turns, null) as "following observation"
        from {name}.steps
        window turns as (
            partition by source, agent_id, episode_id order by step nulls first, event_id nulls first
        )
    )
    where reward is not null
        and (terminated or next_observation is not null
            or (not truncated and "following observation" is not null))
"""
# An audit of an episode that has grown adds a row; the newest says how the episode is now.
_EPISODES = """
    select {shown} from {source}
    qualify row_number() over (
        partition by source, agent_id, episode_id order by audited_version desc, audited_at desc
    ) = 1
"""
_READING = "hive_types_autocast = false"
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
        self.stores = log.stores if isinstance(log, StepsTables) else [log.store]
        if resolved is not None:
            self.stores.append(resolved.store)
        self.schema = log.schema
        self.partition_by = log.partition_by
        self.added_columns = log.added_columns
        self._roots = log.roots if isinstance(log, StepsTables) else log.uris([""])

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
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )
    connection.execute("set TimeZone = 'UTC'")
    remote = [
        store
        for views in tables.values()
        for view in views.values()
        for store in view.stores
        if isinstance(store, S3Store)
    ]
    if remote:
        connection.register_filesystem(StoreFilesystem(remote))
    paths = [
        path for views in tables.values() for view in views.values() for path in (*view.files, *view.resolved)
    ]
    patterns = [_escaped(path) for path in paths if _GLOB.search(path)]
    connection.execute(f"set allowed_paths = {_list([*paths, *patterns])}")
    connection.execute("set enable_external_access = false")
    for name, views in tables.items():
        connection.execute(f"create schema {quoted(name)}")
        for view, files in views.items():
            _create_view(connection, name, view, files)
    connection.execute("set lock_configuration = true")
    return connection


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, view: str, table: TableFiles) -> None:
    empty = quoted(f"empty_{name}_{view}")
    source = table.source if table.files else empty
    if not table.files:
        connection.register(f"empty_{name}_{view}", table.schema.empty_table())
    elif table.added_columns:  # all files may be older than they
        added = pa.schema([table.schema.field(column) for column in table.added_columns])
        connection.register(f"empty_{name}_{view}", added.empty_table())
        source = f"(select * from {source} union all by name select * from {empty})"
    shown = ", ".join(map(quoted, table.schema.names))
    if "action_log_prob" in table.schema.names:
        shown += ", exp(action_log_prob) as action_probability"
    queries = {view: f"select {shown} from {source}"}
    if view == "steps":
        queries["transitions"] = _TRANSITIONS.format(name=quoted(name))
    if view == "episodes":
        queries[view] = _EPISODES.format(shown=shown, source=source)
    if view == "quarantine":
        queries = _quarantine_queries(shown, source, table.resolved)
    for made, query in queries.items():
        try:
            connection.execute(f"create view {quoted(name)}.{quoted(made)} as {query}")
        except duckdb.Error as exc:  # it looks into the files already
            raise unreadable(exc) from exc


def _quarantine_queries(shown: str, source: str, resolved: Sequence[str]) -> dict[str, str]:
    """Return the view without the rows that replays have resolved, and the one that says of all how."""
    said = ", ".join(field.name for field in RESOLVED_FIELDS)
    if not resolved:
        nothing = ", ".join(f"null::varchar as {field.name}" for field in RESOLVED_FIELDS)
        return {
            "quarantine": f"select {shown} from {source}",
            "quarantine_all": f"select {shown}, {nothing} from {source}",
        }
    lists = f"read_parquet({_globs(resolved)}, hive_partitioning = false) as listed"
    listed = f"{lists} using ({', '.join(ROW_IDENTITY)})"
    return {
        "quarantine": f"select {shown} from {source} as held anti join {listed}",
        "quarantine_all": f"select {shown}, {said} from {source} as held left join {listed}",
    }


def unreadable(exc: duckdb.Error) -> StorageError:
    """Return the error for a file of a table that is gone or damaged."""
    return StorageError(
        f"A file of the archive does not read: {str(exc).partition(chr(10))[0].rstrip('.')}.",
        hint="Restore the archive from a copy.",
    )


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
