"""The parsed form of a query, as the engine's own parser gives it; positions are in bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from lake.sql.failures import query_error
from schemas.errors import QueryError

Node = dict[str, Any]
_PLAIN = "skip_null := true, skip_empty := true, skip_default := true"
_SCALAR = ("CONSTANT", "FUNCTION", "CAST", "TYPE", "COLUMN_REF")
_QUERIES = ("SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE")
_OPTIONS = ([b"analyze"], [b"analyse"], [b"format"])  # of EXPLAIN, in brackets
_ONE_SELECT = "The lake is read by SQL and written by ingest."


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """Hold one SELECT: its text, what stands before it (an EXPLAIN, or nothing), and its tree."""

    before: str
    text: str
    tree: Node


def parse(connection: duckdb.DuckDBPyConnection, text: str) -> ParsedQuery:
    """Parse a query; raise QueryError for anything but one SELECT, which may be explained."""
    try:
        statements = connection.extract_statements(text)
    except (duckdb.Error, UnicodeError) as exc:
        raise query_error(exc) from exc
    allowed = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    if len(statements) != 1 and all(statement.type in allowed for statement in statements):
        count = {0: "is none", 2: "are two"}.get(len(statements), f"are {len(statements)}")
        raise QueryError(f"One SELECT is expected, and there {count}.")
    if len(statements) == 1 and statements[0].type == duckdb.StatementType.MULTI:
        raise QueryError("A PIVOT has to say which columns it makes.", hint="Say on column in ('a', 'b').")
    if len(statements) != 1 or statements[0].type not in allowed:
        found = ", ".join(statement.type.name for statement in statements)
        raise QueryError(f"The query is {found}, and one SELECT is expected.", hint=_ONE_SELECT)
    explained = statements[0].type == duckdb.StatementType.EXPLAIN
    before, select = _after_explain(text) if explained else ("", text)
    parsed = connection.execute(f"select json_serialize_sql(?::varchar, {_PLAIN})", [select]).fetchall()
    tree: Node = json.loads(parsed[0][0])
    if tree.get("error"):
        if tree.get("error_type") == "not implemented" and "Only SELECT" in tree["error_message"]:
            raise QueryError("What is explained is no SELECT.", hint=_ONE_SELECT)
        raise QueryError(f"The query does not parse: {tree['error_message'].rstrip('.')}.")
    _check_selects(tree)
    return ParsedQuery(before, select, tree)


def nodes(tree: Any) -> Iterator[Node]:
    """Iterate over all nodes of a tree."""
    waiting = [tree]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict):
            yield held
            waiting.extend(held.values())
        elif isinstance(held, list):
            waiting.extend(held)


def path_of(node: Node) -> tuple[str, ...]:
    """Return the parts of a table's or a function's name."""
    return tuple(node.get("qualified_name", {}).get("path", ()))


def function_names(parsed: ParsedQuery) -> set[str]:
    """Return the names of the functions that a query calls."""
    return {node["function_name"].lower() for node in nodes(parsed.tree) if "function_name" in node}


def table_text(connection: duckdb.DuckDBPyConnection, table: Node) -> str:
    """Write what stands after FROM as SQL."""
    return _written(connection, {"select_list": [{"class": "STAR", "type": "STAR"}], "from_table": table})[
        len("SELECT * FROM ") :
    ]


def value_of(connection: duckdb.DuckDBPyConnection, expression: Node) -> Any:
    """Return what an expression of constants comes to; raise QueryError for others.

    The connection is not locked yet, so nothing that reads is run.
    """
    if any(node.get("class") not in (None, *_SCALAR) or "from_table" in node for node in nodes(expression)):
        raise QueryError("A version is a number, a time, or a parameter.", hint="Say at (version => 3).")
    text = _written(connection, {"select_list": [expression], "from_table": {"type": "EMPTY"}})
    try:
        return connection.sql(text).to_arrow_table().column(0)[0].as_py()
    except duckdb.Error as exc:
        raise query_error(exc) from exc


def _check_selects(tree: Node) -> None:
    """Raise QueryError where a SELECT writes: WITH takes COPY, INSERT and their kind, too."""
    for node in nodes(tree):
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in _QUERIES:
            found = kind.removesuffix("_NODE").removesuffix("_QUERY")
            raise QueryError(f"The query holds {found}, and one SELECT is expected.", hint=_ONE_SELECT)


def _written(connection: duckdb.DuckDBPyConnection, select: Node) -> str:
    node = {"type": "SELECT_NODE", "cte_map": {}, "aggregate_handling": "STANDARD_HANDLING", **select}
    document = json.dumps({"error": False, "statements": [{"node": node}]})
    return str(connection.execute("select json_deserialize_sql(?::json)", [document]).fetchall()[0][0])


def _after_explain(text: str) -> tuple[str, str]:
    """Split off EXPLAIN, ANALYZE and the options in brackets, by the engine's own tokens."""
    data = text.encode()
    starts = [place for place, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    words = [
        data[start:end].split(b"--")[0].split(b"/*")[0].strip().lower()
        for start, end in zip(starts, [*starts[1:], len(data)], strict=True)
    ]
    place = 1
    if words[place : place + 1] in ([b"analyze"], [b"analyse"]):
        place += 1
    if words[place : place + 1] == [b"("] and words[place + 1 : place + 2] in _OPTIONS:
        place = words.index(b")", place) + 1
    cut = starts[place] if place < len(starts) else len(data)
    return data[:cut].decode(), data[cut:].decode()
