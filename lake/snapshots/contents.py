"""The rows that a choice chooses from files of a steps table: a connection to them, and their amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from lake.cold import StepsTables
from lake.snapshots.choice import EPISODE_KEYS, Choice
from lake.snapshots.conditions import check_condition, refusal_of
from lake.snapshots.episode_keys import KEYS_SCHEMA
from lake.snapshots.splits import Part
from lake.views import TableFiles, connect, unreadable
from schemas.episodes import EPISODE_KEY
from schemas.errors import UsageError
from schemas.step import KEY_COLUMNS

_KEY = ", ".join(EPISODE_KEY)
_FILE = "file of the row"  # no column of an archive has a name with blanks


@dataclass(frozen=True, slots=True)
class Contents:
    """Say what was chosen: files with a chosen row, rows, and episodes of one agent each."""

    files: tuple[str, ...]
    rows: int
    episodes: int


class _NamedFiles(TableFiles):
    """Name a table's files in a column of the view, too."""

    def __init__(self, log: StepsTables, names: Sequence[str]) -> None:
        super().__init__(log, names)
        self.schema = self.schema.append(pa.field(_FILE, pa.string()))

    @property
    def source(self) -> str:
        """The SQL that reads the files."""
        return super().source.replace("hive_partitioning =", f"filename = '{_FILE}', hive_partitioning =")


def open_contents(
    table: StepsTables, names: Sequence[str], keys: pa.Table | None
) -> duckdb.DuckDBPyConnection:
    """Open a connection to files: `snapshot.steps` holds all their rows; keys of episodes are beside it."""
    return _open(TableFiles(table, names), keys)


def measure(table: StepsTables, names: Sequence[str], choice: Choice, keys: pa.Table | None) -> Contents:
    """Count what a choice chooses from files; leave out those files that hold nothing of it.

    Raise QueryError for a condition that is none. A condition with a query in it keeps all files: the query
    may look at rows that the condition does not choose.
    """
    if choice.where is None:
        has_query = False
    else:
        with open_contents(table, names, keys) as connection:
            has_query = check_condition(connection, "snapshot.steps", choice.where)
    counted = f"""
        with counted as materialized (
            select "{_FILE}" as file, {_KEY}, count(*) as rows from snapshot.steps
            where {choice.condition} group by all
        )
        select file, sum(rows)::bigint,
            (select count(*) from (select distinct {_KEY} from counted where episode_id is not null))
        from counted group by file
    """
    with _open(_NamedFiles(table, names), keys) as connection:
        if choice.where is None:
            try:
                found = connection.sql(counted).fetchall()
            except duckdb.Error as exc:
                raise unreadable(exc) from exc
        else:
            with refusal_of(choice.where):
                found = connection.sql(counted).fetchall()
    held = dict(zip(table.uris(names), names, strict=True))
    files = sorted(names if has_query and found else [held[uri] for uri, _, _ in found])
    return Contents(tuple(files), sum(rows for _, rows, _ in found), found[0][2] if found else 0)


def chosen_keys(table: StepsTables, names: Sequence[str], choice: Choice, keys: pa.Table | None) -> pa.Table:
    """Return the keys of the episodes that chosen rows in the files are of, in order."""
    query = f"""
        select distinct {_KEY} from snapshot.steps
        where {choice.condition} and episode_id is not null order by {_KEY}
    """
    with open_contents(table, names, keys) as connection:
        try:
            return connection.sql(query).to_arrow_table().cast(KEYS_SCHEMA)
        except duckdb.Error as exc:
            raise unreadable(exc) from exc


def keys_in(part: Part, keys: pa.Table) -> pa.Table:
    """Return those keys of episodes that are in a part of a split, in their order."""
    with connect({}) as connection:
        connection.register(EPISODE_KEYS, keys)
        found = connection.sql(f"select {part.condition} as is_in from {EPISODE_KEYS}").to_arrow_table()
    return keys.filter(found["is_in"])


def check_columns(table: StepsTables, columns: Sequence[str]) -> tuple[str, ...]:
    """Return columns in the table's order, with those of the key; raise UsageError for one that is none."""
    there = table.schema.names
    missing = sorted(set(columns) - set(there))
    if missing:
        raise UsageError(f"There is no column {missing[0]!r}.", hint=f"There are: {', '.join(there)}.")
    return tuple(name for name in there if name in {*columns, *KEY_COLUMNS})


def _open(files: TableFiles, keys: pa.Table | None) -> duckdb.DuckDBPyConnection:
    connection = connect({"snapshot": {"steps": files}})
    if keys is not None:
        connection.register(EPISODE_KEYS, keys)
    return connection
