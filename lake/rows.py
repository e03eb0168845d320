"""Rows by condition, and samples of them: whole episodes, always the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from lake.cold import StepsTables
from lake.snapshots import Snapshot
from lake.tables import ArchiveTables
from lake.views import TableFiles, connect, quoted, refused_condition, unreadable
from schemas.archive_spec import ArchiveSpec
from schemas.step import ROW_ORDER, steps_schema

ORDER = ", ".join(f"{name} nulls first" for name in ROW_ORDER)
# Episodes are chosen by a hash that no version of the engine changes, all agents of one together.
CHOSEN = "md5_number_lower(coalesce(episode_id, event_id, '')) % {parts} = {part}"


def read_steps(archive: ArchiveTables, where: str | None = None) -> pa.Table:
    """Return the steps of now that a condition chooses, all without one, in the order of their key.

    Raise QueryError for a condition that is none.
    """
    with connect({"held": {"steps": TableFiles(StepsTables(archive))}}) as connection:
        columns = ", ".join(map(quoted, [*steps_schema(archive.spec).names, "action_probability"]))
        rows = connection.sql(f"select {columns} from held.steps")
        return as_steps(_chosen(rows, where).order(ORDER), archive.spec)


def choose_rows(rows: pa.Table, where: str) -> pa.Table:
    """Return the rows of a table that a condition chooses, in their order; raise QueryError for none."""
    with connect({}) as connection:
        connection.register("given", rows)
        return _chosen(connection.sql("select * from given"), where).to_arrow_table()


def sample_steps(archive: ArchiveTables, most_rows: int) -> pa.Table:
    """Return the steps of now, or about so many of them: whole episodes, always the same ones."""
    with translated(), connect({"held": {"steps": TableFiles(StepsTables(archive))}}) as connection:
        return sample(connection, "held.steps", "true", archive.spec, most_rows)


def sample_snapshot(snapshot: Snapshot, most_rows: int) -> pa.Table:
    """Return the snapshot's steps, likewise."""
    with translated(), snapshot.connect() as connection:
        return sample(connection, "snapshot.steps", snapshot.condition, snapshot.spec, most_rows)


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the engine says of our own queries as an error of the storage: nothing else can be wrong."""
    try:
        yield
    except duckdb.Error as exc:
        raise unreadable(exc) from exc


def sample(
    connection: duckdb.DuckDBPyConnection, source: str, condition: str, spec: ArchiveSpec, most_rows: int
) -> pa.Table:
    """Return the steps of a view that meet a condition, or about so many of them."""
    (count,) = one_row(connection, f"select count(*) from {source} where {condition}")
    chosen = f"{condition} and {CHOSEN.format(parts=parts_of(count, most_rows), part=0)}"
    # One episode may be nearly all there is: then its first rows have to do.
    query = f"{select_steps(spec, source)} where {chosen} order by {ORDER} limit {2 * most_rows}"
    return as_steps(connection.sql(query), spec)


def parts_of(count: int, most_rows: int) -> int:
    """Return into how many parts rows are to be split; one at least."""
    return max(1, -(-count // most_rows))


def select_steps(spec: ArchiveSpec, source: str) -> str:
    """Return the SQL that selects the columns of the steps table."""
    return f"select {', '.join(map(quoted, steps_schema(spec).names))} from {source}"


def as_steps(relation: duckdb.DuckDBPyRelation, spec: ArchiveSpec) -> pa.Table:
    """Return the rows with the columns and types of the steps table."""
    schema = steps_schema(spec)
    return relation.to_arrow_table().select(schema.names).cast(schema)


def one_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """Return the one row of an aggregate."""
    found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return found[0]


def _chosen(rows: duckdb.DuckDBPyRelation, where: str | None) -> duckdb.DuckDBPyRelation:
    if where is None:
        return rows
    try:
        return rows.filter(where)  # which takes one expression, and no more
    except duckdb.Error as exc:
        raise refused_condition(where, exc, "the rows") from exc
