"""SQL over archives: DuckDB, reading the tables' own files and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pyarrow as pa

from lake.commits import CommitLog
from lake.episodes import audited_schema
from lake.parquet import partition_values
from lake.replay_log import RESOLVED_FIELDS, ROW_IDENTITY, ReplayLog
from schemas.errors import QueryError, StorageError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from lake.archive import Archive

_T = TypeVar("_T")
_VIEWS = ("steps", "transitions", "quarantine", "quarantine_all", "episodes")
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
_READING = "hive_types_autocast = false, union_by_name = true"
_GLOB = re.compile(r"[*?[]")


class QueryResult:
    """Hold the result of a query, which is read once, in whichever form is asked for."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation) -> None:
        self._connection = connection  # the relation lives as long as its connection
        self._relation = relation

    @property
    def columns(self) -> list[str]:
        """The names of the result's columns."""
        return list(self._relation.columns)

    def arrow(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        return _run(self._relation.to_arrow_table)

    def pl(self) -> pl.DataFrame:
        """Return the rows as a Polars frame."""
        frame: pl.DataFrame = _run(self._relation.pl)
        return frame

    def df(self) -> pd.DataFrame:
        """Return the rows as a pandas frame."""
        frame: pd.DataFrame = self.arrow().to_pandas() if self._has_zones() else _run(self._relation.df)
        return frame

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples."""
        if self._has_zones():
            table = self.arrow()
            return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return _run(self._relation.fetchall)

    def _has_zones(self) -> bool:
        """Say whether there are times, which the engine itself gives to Python by way of pytz only."""
        return any("WITH TIME ZONE" in str(kind) for kind in self._relation.types)

    def __repr__(self) -> str:
        return str(self._relation)


def run_query(
    archives: Sequence[Archive],
    query: str,
    parameters: Sequence[Any] | Mapping[str, Any] | None = None,
) -> QueryResult:
    """Run one SELECT over the views of those archives that the text mentions."""
    mentioned = [archive for archive in archives if re.search(rf"\b{archive.name}\b", query, re.IGNORECASE)]
    connection = connect({archive.name: _views(archive) for archive in mentioned})
    _check_is_one_select(connection, query)
    try:
        relation = connection.sql(query, params=parameters)
    except duckdb.Error as exc:
        raise _query_error(exc, [archive.name for archive in archives]) from exc
    return QueryResult(connection, relation)


class TableFiles:
    """Name what a view reads: files of one version of a table, and the table's columns.

    `resolved` are the lists of the rows that replays have taken out of quarantine.
    """

    def __init__(
        self, log: CommitLog, files: Sequence[str] | None = None, resolved: Sequence[str] = ()
    ) -> None:
        self.files = log.files() if files is None else list(files)
        self.resolved = list(resolved)
        self.schema = log.schema
        self.partition_by = log.partition_by
        self._folder = log.folder

    @property
    def source(self) -> str:
        """The SQL that reads the files."""
        names = {name.lower() for name in self.schema.names}
        if not any("=" in part and part.partition("=")[0].lower() in names for part in self._folder.parts):
            return f"read_parquet({_globs(self.files)}, hive_partitioning = true, {_READING})"
        # A folder above the table reads like a partition of it: then we say which file is of which one.
        groups: dict[tuple[tuple[str, str | None], ...], list[str]] = {}
        for path in self.files:
            groups.setdefault(tuple(partition_values(path, self.partition_by).items()), []).append(path)
        selects = []
        for values, files in groups.items():
            given = ", ".join(f"{literal(value)}::varchar as {quoted(name)}" for name, value in values)
            reading = f"read_parquet({_globs(files)}, hive_partitioning = false, {_READING})"
            selects.append(f"select *, {given} from {reading}")
        return f"({' union all by name '.join(selects)})"


class NoFiles(TableFiles):
    """Stand for a table that is not there yet: it has columns, and no rows."""

    def __init__(self, schema: pa.Schema) -> None:
        self.files = []
        self.resolved = []
        self.schema = schema


def episodes_files(archive: Archive) -> TableFiles:
    """Return the files of what audits said of episodes; there are none before the first audit."""
    return TableFiles(archive.table("episodes")) if archive.is_audited else NoFiles(audited_schema())


def connect(tables: Mapping[str, Mapping[str, TableFiles]]) -> duckdb.DuckDBPyConnection:
    """Open a connection with the views of archives, locked so that it reads their files and no others."""
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )
    connection.execute("set TimeZone = 'UTC'")
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


def _views(archive: Archive) -> dict[str, TableFiles]:
    steps = archive.table("steps")  # opened first: what a replay has landed by then is in quarantine, too
    resolved = ReplayLog(archive.folder, archive.name, steps).files()
    return {
        "steps": TableFiles(steps),
        "quarantine": TableFiles(archive.table("quarantine"), resolved=resolved),
        "episodes": episodes_files(archive),
    }


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, view: str, table: TableFiles) -> None:
    source = table.source if table.files else quoted(f"empty_{name}_{view}")
    if not table.files:
        connection.register(f"empty_{name}_{view}", table.schema.empty_table())
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
        hint="Restore the archive's folder from a copy.",
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


def _check_is_one_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    try:
        statements = connection.extract_statements(query)
    except duckdb.Error as exc:
        raise _query_error(exc, ()) from exc
    allowed = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    if len(statements) != 1 or statements[0].type not in allowed:
        found = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise QueryError(
            f"The query is {found}, and one SELECT is expected.",
            hint="The lake is read by SQL and written by ingest.",
        )


def _run(fetch: Callable[[], _T]) -> _T:
    try:
        return fetch()
    except duckdb.Error as exc:
        raise _query_error(exc, ()) from exc


def _query_error(exc: duckdb.Error, names: Sequence[str]) -> QueryError:
    text = str(exc).strip()
    hint = ""
    if isinstance(exc, duckdb.CatalogException | duckdb.BinderException) and names:
        views = ", ".join(f"{name}.{view}" for name in names for view in _VIEWS)
        hint = f"There are the views {views}."
    return QueryError(text.rstrip("."), hint=hint)
