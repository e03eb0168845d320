"""Which views a query names, at which version, and whether it names anything that it may not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb

from lake.sql.conditions import Condition, Parameters, conditions_by_table
from lake.sql.failures import VIEWS, not_given, unknown_table
from lake.sql.macros import TABLE_FUNCTIONS
from lake.sql.tree import Node, ParsedQuery, nodes, path_of, value_of
from schemas.errors import QueryError

At = int | datetime | None
_VIEW_AT = {f"{view}_at": view for view in VIEWS}
_TABLE_FUNCTIONS = {"range", "generate_series", "unnest", "json_each", "json_tree"}
_CATALOG = {"duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_types", "duckdb_views"}
_FOREIGN = {  # what looks at the machine, the session, or at SQL that is a text
    *("current_setting", "getenv", "getvariable", "write_log", "nextval", "currval", "query", "query_table"),
    *("json_execute_serialized_sql", "json_serialize_plan", "current_query", "pg_size_pretty"),
    *("sleep_ms", "pg_sleep"),
}
_WIDE = re.compile(r"\d{5}|%[^a-zA-Z]*\*|\{[^}]*\{")
_SHOWS = ("SHOW_SPECIAL", "SHOW_FROM", "SHOW_UNQUALIFIED")
SHOWN_VIEWS = """
    select table_schema as archive, table_name as view from information_schema.tables
    where table_type = 'VIEW' and not contains(table_name, ' ') order by all
"""
_SYSTEM = {"system", "main", "temp", "memory", "pg_catalog", "information_schema"}


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Hold one place where a query names a view of an archive, or one of its functions."""

    archive: str
    view: str
    at: At
    conditions: frozenset[Condition]
    node: Node
    parameter: str | None  # the sign that the version comes by, such as $v


def find_references(
    connection: duckdb.DuckDBPyConnection,
    parsed: ParsedQuery,
    names: Sequence[str],
    parameters: Parameters,
) -> list[Reference]:
    """Return the views that are named; raise QueryError for what is no view and not to be had."""
    held = list(nodes(parsed.tree))
    _check_functions(held)
    ctes = {name.lower() for node in held for name in _cte_names(node)}
    asked = {id(table): conditions for table, conditions in conditions_by_table(parsed.tree, parameters)}
    found: list[Reference] = []
    for node in held:
        if node.get("type") == "BASE_TABLE":
            path = [part.lower() for part in path_of(node)]
            if (
                (len(path) == 1 and path[0] in ctes)
                or path[0] == "information_schema"
                or path == ["duckdb_views"]
            ):
                continue
            if len(path) != 2 or path[0] not in names or path[1] not in VIEWS:
                raise unknown_table(path_of(node), names)
            at, parameter = _at(connection, parsed, node.get("at_clause"), parameters)
            found.append(Reference(path[0], path[1], at, asked.get(id(node), frozenset()), node, parameter))
        elif node.get("type") == "TABLE_FUNCTION":
            found += _of_function(connection, parsed, node, names, parameters)
    return found


def shows_tables(parsed: ParsedQuery) -> bool:
    """Say whether a query is SHOW TABLES or one of its kind."""
    return any(node.get("show_type") in _SHOWS for node in nodes(parsed.tree))


def looks_around(parsed: ParsedQuery) -> bool:
    """Say whether a query asks what there is."""
    return shows_tables(parsed) or any(
        path_of(node)[:1] in (("information_schema",), ("duckdb_views",), ("duckdb_columns",))
        for node in nodes(parsed.tree)
    )


def _of_function(
    connection: duckdb.DuckDBPyConnection,
    parsed: ParsedQuery,
    node: Node,
    names: Sequence[str],
    parameters: Parameters,
) -> Iterator[Reference]:
    path = [part.lower() for part in path_of(node.get("function", {}))]
    if len(path) == 1 and path[0] in _TABLE_FUNCTIONS | _CATALOG:
        return
    if len(path) == 2 and path[0] in names and path[1] in TABLE_FUNCTIONS:
        yield Reference(path[0], path[1], None, frozenset(), node, None)
        return
    if len(path) == 2 and path[0] in names and path[1] in _VIEW_AT:
        given = [argument.get("expression", {}) for argument in node["function"].get("arguments", ())]
        if len(given) != 1:
            raise QueryError(f"{'.'.join(path)} takes one version.", hint=f"Say from {'.'.join(path)}(3).")
        at, parameter = _at(connection, parsed, {"expr": given[0]}, parameters)
        yield Reference(path[0], _VIEW_AT[path[1]], at, frozenset(), node, parameter)
        return
    if len(path) == 2:
        raise unknown_table(path, names)
    raise QueryError(
        f"{'.'.join(path)}() is not to be had in FROM.",
        hint="The lake's own views and their functions are read, and nothing else.",
    )


def _check_functions(held: Sequence[Node]) -> None:
    for node in held:
        path = [part.lower() for part in path_of(node)]
        if not path or node.get("class") not in ("FUNCTION", "WINDOW"):
            continue
        if path[-1] in _FOREIGN or (len(path) > 1 and path[0] in _SYSTEM):
            raise QueryError(
                f"{'.'.join(path)}() is not to be had.",
                hint="A query sees the lake's views, and nothing else.",
            )
        if path[-1] in ("format", "printf") and not _is_narrow(node):
            raise QueryError(
                f"{path[-1]}() takes a format that stands in the query, of widths below 10,000.",
                hint="Write the format as a text in quotes.",
            )


def _is_narrow(call: Node) -> bool:
    """Say whether a format makes nothing wide: its width may not come from elsewhere either."""
    arguments = call.get("arguments") or [{}]
    given = arguments[0].get("expression", {}).get("literal", {})
    return given.get("kind") == "STRING" and not _WIDE.search(given.get("text", ""))


def _cte_names(node: Node) -> Iterator[str]:
    if node.get("type") == "RECURSIVE_CTE_NODE" or "cte_name" in node:
        yield node.get("cte_name", "")
    entries = node.get("cte_map", {})
    if isinstance(entries, Mapping):
        yield from (entry["key"] for entry in entries.get("map", ()))


def _at(
    connection: duckdb.DuckDBPyConnection, parsed: ParsedQuery, clause: Node | None, parameters: Parameters
) -> tuple[At, str | None]:
    """Return the version or the time that is asked for, and the sign of the parameter that it is from."""
    if not clause:
        return None, None
    expression = clause["expr"]
    sign = None
    if expression.get("type") == "VALUE_PARAMETER":
        if expression["identifier"] not in parameters:
            raise not_given([expression["identifier"]])
        value = parameters[expression["identifier"]]
        start = expression["query_location"]
        sign = parsed.text.encode()[start : start + expression["query_location_length"]].decode()
    else:
        value = value_of(connection, expression)
    return _version(value, clause.get("unit")), sign


def _version(value: Any, unit: str | None) -> At:
    if unit != "TIMESTAMP" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if unit != "VERSION":
        try:
            time = datetime.fromisoformat(value) if isinstance(value, str) else value
            if isinstance(time, datetime):
                return time if time.tzinfo else time.replace(tzinfo=UTC)
            if isinstance(time, date):
                return datetime(time.year, time.month, time.day, tzinfo=UTC)
        except ValueError:
            pass
    wanted = {"TIMESTAMP": "a time", "VERSION": "a whole number"}.get(unit or "", "a whole number or a time")
    raise QueryError(
        f"The version {value!r} is not {wanted}.",
        hint="Say at (version => 3), or at (timestamp => '2026-01-31 12:00').",
    )
