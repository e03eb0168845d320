"""Write a query anew where it names a version: the engine's parser takes it, and its views do not."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from lake.sql.references import Reference
from lake.sql.tree import Node, ParsedQuery, table_text
from lake.views import quoted


def rewritten(
    connection: duckdb.DuckDBPyConnection, parsed: ParsedQuery, schemas: Mapping[Reference, str]
) -> str:
    """Return the query's text with each view below the schema that it is in."""
    data = parsed.text.encode()
    changes = [
        (one.node["query_location"], one.node["query_location_length"], _text(connection, one, schema))
        for one, schema in schemas.items()
        if one.at is not None or schema != one.archive
    ]
    for start, length, text in sorted(changes, reverse=True):
        data = data[:start] + text.encode() + data[start + length :]
    return parsed.before + data.decode()


def _text(connection: duckdb.DuckDBPyConnection, one: Reference, schema: str) -> str:
    if one.node["type"] == "TABLE_FUNCTION" and one.at is None:
        return _function_text(connection, one, schema)
    kept = {"alias", "sample", "column_name_alias"}
    table: Node = {name: value for name, value in one.node.items() if name in kept}
    table |= {
        "type": "BASE_TABLE",
        "schema_name": schema,
        "table_name": one.view,
        "qualified_name": {"path": [schema, one.view]},
    }
    if one.parameter is None:
        return table_text(connection, table)
    # The parameter stays in the query, for the caller gives it.
    alias = quoted(table.get("alias", one.view))
    held = table_text(connection, table)
    return f"(select * from {held} where {one.parameter} is not null or true) as {alias}"


def _function_text(connection: duckdb.DuckDBPyConnection, one: Reference, schema: str) -> str:
    function = {**one.node["function"], "schema": schema}
    function["qualified_name"] = {"path": [schema, one.view]}
    return table_text(connection, {**one.node, "function": function})
