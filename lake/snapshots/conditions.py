"""Checks of a condition: that it is one expression, and chooses the same rows another time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from lake.snapshots.choice import bracketed
from lake.views import condition_hint, refused_condition
from schemas.errors import QueryError

# What the engine's own list of unsteady functions leaves out.
_CLOCKS = {"age", "current_time", "current_timestamp", "localtime", "localtimestamp", "sample"}


def check_condition(connection: duckdb.DuckDBPyConnection, view: str, condition: str) -> bool:
    """Refuse text that closes our bracket and goes on, and what would choose other rows another time.

    Return whether a query is in it: then what it says of a row hangs on other rows, too.
    """
    of = view.rpartition(".")[2]
    bare, parsed = (_parsed(connection, text, condition, of) for text in ("true", condition))
    tree = parsed.pop("where_clause")
    del bare["where_clause"]
    if parsed != bare:
        raise QueryError(
            f"The condition {condition!r} is more than a condition.", hint="Give one expression."
        )
    with refusal_of(condition, of):
        columns = set(connection.sql(f"select * from {view} limit 0").columns)
        unsteady = set(_used(tree)) & _unsteady(connection) - columns
        if unsteady:
            raise QueryError(
                f"The condition {condition!r} would choose other rows each time: "
                f"{', '.join(sorted(unsteady))}.",
                hint="A snapshot never changes: give the value itself, such as a date.",
            )
        connection.sql(f"select 1 from {view} where {bracketed(condition)}")
    return any(part.get("class") == "SUBQUERY" for part in _parts(tree))


@contextmanager
def refusal_of(condition: str, of: str = "steps") -> Iterator[None]:
    """Raise what the engine says of a condition as an error of the one who gave it."""
    try:
        yield
    except duckdb.Error as exc:
        raise refused_condition(condition, exc, of) from exc


def _parsed(connection: duckdb.DuckDBPyConnection, text: str, condition: str, of: str) -> dict[str, Any]:
    query = f"select 1 from snapshot.steps where {bracketed(text)}"
    row = connection.execute("select json_serialize_sql(?::varchar)", [query]).fetchone()
    parsed: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if parsed.get("error"):
        said = str(parsed.get("error_message", "")).partition("\n")[0].rstrip(".")
        raise QueryError(f"The condition {condition!r} does not parse: {said}.", hint=condition_hint(of))
    statements = parsed["statements"]
    if len(statements) != 1:
        raise QueryError(
            f"The condition {condition!r} is more than a condition.", hint="Give one expression."
        )
    node: dict[str, Any] = statements[0]["node"]
    return {"where_clause": None, **node}


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Iterate over the objects in a parsed expression."""
    if isinstance(tree, dict):
        yield tree
    for held in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _parts(held)


def _used(tree: Any) -> Iterator[str]:
    """Iterate over the names of functions and columns in a parsed expression, and of samplings."""
    for part in _parts(tree):
        if part.get("function_name"):
            yield str(part["function_name"]).lower()
        if part.get("column_names"):
            yield str(part["column_names"][-1]).lower()
        if part.get("sample"):
            yield "sample"


def _unsteady(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Name what gives another value another time; some of it stands without brackets, like a column."""
    found = connection.execute(
        "select distinct function_name from duckdb_functions() where stability <> 'CONSISTENT'"
    ).fetchall()
    return {name for (name,) in found} | _CLOCKS
