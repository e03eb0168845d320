"""SQL over archives: DuckDB, reading the tables' own files and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pyarrow as pa

from lake.commits import CommitLog
from schemas.errors import QueryError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from lake.archive import Archive

_T = TypeVar("_T")
_VIEWS = ("steps", "transitions", "quarantine")
_TRANSITIONS = """
    select * exclude (following_step, following_observation)
        replace (coalesce(next_observation, following_observation) as next_observation)
    from (
        select *,
            lead(step) over turns as following_step,
            if(following_step = step + 1, lead(observation) over turns, null) as following_observation
        from {name}.steps
        window turns as (partition by source, agent_id, episode_id order by step)
    )
    where reward is not null
        and (terminated or next_observation is not null
            or (not truncated and following_observation is not null))
"""


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
        return _run(self._relation.pl)

    def df(self) -> pd.DataFrame:
        """Return the rows as a pandas frame."""
        return _run(self._relation.df)

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples."""
        return _run(self._relation.fetchall)

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
    """Name what a view reads: files of one version of a table, and the table's columns."""

    def __init__(self, log: CommitLog, files: Sequence[str] | None = None) -> None:
        self.files = log.files() if files is None else list(files)
        self.schema = log.schema


def connect(tables: Mapping[str, Mapping[str, TableFiles]]) -> duckdb.DuckDBPyConnection:
    """Open a connection with the views of archives, locked so that it reads their files and no others."""
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )
    connection.execute("set TimeZone = 'UTC'")
    allowed = [path for views in tables.values() for files in views.values() for path in files.files]
    connection.execute(f"set allowed_paths = {_literal(allowed)}")
    connection.execute("set enable_external_access = false")
    for name, views in tables.items():
        connection.execute(f'create schema "{name}"')
        for view, files in views.items():
            _create_view(connection, name, view, files)
    connection.execute("set lock_configuration = true")
    return connection


def _views(archive: Archive) -> dict[str, TableFiles]:
    return {
        "steps": TableFiles(archive.table("steps")),
        "quarantine": TableFiles(archive.table("quarantine")),
    }


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, view: str, table: TableFiles) -> None:
    if table.files:
        source = (
            f"read_parquet({_literal(table.files)}, hive_partitioning = true, "
            "hive_types_autocast = false, union_by_name = true)"
        )
    else:
        connection.register(f"empty_{name}_{view}", table.schema.empty_table())
        source = f'"empty_{name}_{view}"'
    columns = ", ".join(f'"{column}"' for column in table.schema.names)
    shown = f"{columns}, exp(action_log_prob) as action_probability"
    connection.execute(f'create view "{name}"."{view}" as select {shown} from {source}')
    if view == "steps":
        connection.execute(f'create view "{name}".transitions as {_TRANSITIONS.format(name=quoted(name))}')


def quoted(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def _literal(paths: Sequence[str]) -> str:
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"


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
