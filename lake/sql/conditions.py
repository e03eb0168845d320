"""What a query asks of the columns that tell which files hold an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from lake.sql.tree import Node
from lake.views import literal

KEYS = ("source", "agent_id", "episode_id")
_MOST = 100  # values of one list: longer ones choose nearly every file
_MIRRORED = {"=": "=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_SIGNS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
}
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "<": lambda held, given: held < given,
    ">": lambda held, given: held > given,
    "<=": lambda held, given: held <= given,
    ">=": lambda held, given: held >= given,
}
Parameters = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """Hold what every row of the answer meets: the column is equal to one value, or compares with it."""

    column: str
    sign: str
    values: tuple[str, ...]

    def holds(self, value: str | None) -> bool:
        """Say whether a value of the column meets it."""
        if value is None:
            return False
        return value in self.values if self.sign == "=" else _TESTS[self.sign](value, self.values[0])

    @property
    def predicate(self) -> str:
        """The condition as the tables' own pruning takes it."""
        if len(self.values) == 1:
            return f"{self.column} {self.sign} {literal(self.values[0])}"
        return f"{self.column} in ({', '.join(map(literal, self.values))})"


def conditions_by_table(tree: Node, parameters: Parameters) -> Iterator[tuple[Node, frozenset[Condition]]]:
    """Iterate over the tables of a query, each with what its rows have to meet as far as that is plain."""
    waiting: list[Any] = [tree]
    while waiting:
        held = waiting.pop()
        if isinstance(held, list):
            waiting.extend(held)
        if not isinstance(held, dict):
            continue
        if held.get("type") == "SELECT_NODE" and not held.get("sample"):
            yield from _of_select(held, parameters)
        waiting.extend(held.values())


def _of_select(select: Node, parameters: Parameters) -> Iterator[tuple[Node, frozenset[Condition]]]:
    tables = list(_inner_tables(select.get("from_table", {})))
    found = list(_all_of(select.get("where_clause", {}), parameters))
    for table in tables:
        if table.get("sample") or table.get("column_name_alias"):
            continue
        name = (table.get("alias") or table.get("table_name") or "").lower()
        own = {
            condition
            for qualifier, condition in found
            if qualifier == name or (qualifier is None and len(tables) == 1)
        }
        if own:
            yield table, frozenset(own)


def _inner_tables(table: Node) -> Iterator[Node]:
    if table.get("type") == "BASE_TABLE":
        yield table
    elif table.get("type") == "JOIN" and table.get("join_type") == "INNER":
        if table.get("ref_type", "REGULAR") in ("REGULAR", "CROSS", "NATURAL"):
            yield from _inner_tables(table.get("left", {}))
            yield from _inner_tables(table.get("right", {}))
        else:
            yield {"type": "OTHER"}
    else:
        yield {"type": "OTHER"}  # so that a column without a table's name is nobody's


def _all_of(node: Node, parameters: Parameters) -> Iterator[tuple[str | None, Condition]]:
    kind = node.get("type")
    if kind == "CONJUNCTION_AND":
        for child in node["children"]:
            yield from _all_of(child, parameters)
    elif kind in _SIGNS:
        sign = _SIGNS[kind]
        yield from _made(node["left"], sign, [node["right"]], parameters)
        yield from _made(node["right"], _MIRRORED[sign], [node["left"]], parameters)
    elif kind == "COMPARE_IN" and len(node["children"]) <= _MOST:
        yield from _made(node["children"][0], "=", node["children"][1:], parameters)
    elif kind == "COMPARE_BETWEEN":
        yield from _made(node["input"], ">=", [node["lower"]], parameters)
        yield from _made(node["input"], "<=", [node["upper"]], parameters)


def _made(
    column: Node, sign: str, given: list[Node], parameters: Parameters
) -> Iterator[tuple[str | None, Condition]]:
    names = [name.lower() for name in column.get("column_names", ())]
    if column.get("type") != "COLUMN_REF" or len(names) not in (1, 2):
        return
    if names[-1] != "date" and (names[-1] not in KEYS or sign != "="):
        return
    values = [_value(node, parameters) for node in given]
    texts = tuple(value for value in values if value is not None)
    if texts and len(texts) == len(values):
        yield names[0] if len(names) == 2 else None, Condition(names[-1], sign, texts)


def _value(node: Node, parameters: Parameters) -> str | None:
    """Return a text, or a day as one; None for what is neither, or not plain."""
    if node.get("type") == "VALUE_PARAMETER":
        value = parameters.get(node.get("identifier", ""))
        if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()
        return value if isinstance(value, str) else None
    if node.get("type") == "OPERATOR_CAST" and not node.get("try_cast"):
        if node.get("type_expr", {}).get("type_name", "").lower() != "date":
            return None
        text = _value(node.get("child", {}), {})
        try:
            return date.fromisoformat(text).isoformat() if text else None
        except ValueError:
            return None
    constant = node.get("literal", {})
    if node.get("type") == "VALUE_CONSTANT" and constant.get("kind") == "STRING":
        return str(constant["text"]) if constant.get("text") else None
    return None
