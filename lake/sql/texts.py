"""A result as text, written by the engine: JSON objects, and columns that CSV has a form for."""

from __future__ import annotations

from typing import Any

import duckdb

from lake.views import literal, quoted

_FLOATS = ("float", "double")
_TIMES = ("timestamp with time zone", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns")
_AS_THEY_ARE = frozenset(
    "boolean tinyint smallint integer bigint utinyint usmallint uinteger ubigint hugeint varchar json".split()
)
_SECOND = "%Y-%m-%dT%H:%M:%S"


def json_line(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Return one column: each row as a JSON object."""
    pairs = ", ".join(
        f"{literal(name)}, {_json(quoted(name), kind, 0)}"
        for name, kind in zip(relation.columns, relation.types, strict=True)
    )
    return relation.project(f"json_object({pairs})::varchar as line")


def csv_columns(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Return the columns with those as text that CSV has no form for."""
    return relation.project(
        ", ".join(
            f"{_csv(f'#{number}', kind)} as {quoted(name)}"
            for number, (name, kind) in enumerate(zip(relation.columns, relation.types, strict=True), 1)
        )
    )


def _json(value: str, kind: Any, depth: int) -> str:
    """Return the SQL that makes JSON of a value."""
    name = kind.id
    if name in _AS_THEY_ARE:
        return value
    if name in _FLOATS:
        named = f"case when isnan({value}) then 'NaN' when {value} > 0 then 'Infinity' else '-Infinity' end"
        return f"if(isfinite({value}), to_json({value}), to_json({named}))"
    if name in ("list", "array"):
        own = f"v{depth}"
        held = _json(own, kind.children[0][1], depth + 1)
        return value if held == own else f"list_transform({value}::{_listed(kind)}, lambda {own}: {held})"
    if name == "struct":
        pairs = ", ".join(
            f"{literal(field)}, {_json(f'struct_extract({value}, {literal(field)})', own, depth)}"
            for field, own in kind.children
        )
        return f"if({value} is null, null, json_object({pairs}))"
    if name == "blob":
        return f"base64({value})"
    if name in _TIMES:
        return _time(value, zoned="zone" in name)
    if name == "decimal":
        return f"to_json({value})"
    if name in ("map", "union", "sqlnull", '"null"', "null"):
        return f"to_json({value})"
    return f"{value}::varchar"


def _csv(value: str, kind: Any) -> str:
    name = kind.id
    if name == "boolean":
        return f"{value}::varchar"
    if name in _AS_THEY_ARE or name in (*_FLOATS, "decimal", "date"):
        return value if name not in ("hugeint", "json") else f"{value}::varchar"
    if name in ("list", "array", "struct", "map", "union"):
        return f"to_json({_json(value, kind, 0)})::varchar"
    return f"({_json(value, kind, 0)})::varchar"


def _time(value: str, *, zoned: bool) -> str:
    plain = f"{value}::timestamp" if not zoned else f"({value} at time zone 'UTC')"
    zone = "+00:00" if zoned else ""
    whole = f"strftime({plain}, {literal(_SECOND + zone)})"
    exact = f"strftime({plain}, {literal(_SECOND + '.%f' + zone)})"
    return (
        f"if(isfinite({value}), if(microsecond({value}) % 1000000 = 0, {whole}, {exact}), {value}::varchar)"
    )


def _listed(kind: Any) -> str:
    return f"{kind.children[0][1]}[]"
