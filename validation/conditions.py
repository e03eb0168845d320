"""Row conditions: which rows an expectation is about, in the forms that Great Expectations writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.errors import SuiteError
from validation.columns import Columns
from validation.condition_terms import Term, compare, holds_one_of, is_missing
from validation.condition_texts import read_text

_STRUCTURED = 'Write {"type": "comparison", "column": {"name": "x"}, "operator": ">", "parameter": 0}.'
_PARSERS = ("pandas", "great_expectations", "great_expectations__experimental__")
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Condition:
    """Choose rows by an expression; equal texts choose alike."""

    text: str
    expression: pl.Expr  # True for the rows chosen; null chooses none


def read_condition(kwargs: Mapping[str, Any], columns: Columns) -> Condition | None:
    """Read `row_condition` and `condition_parser` out of an expectation's kwargs; None without them.

    A text is never run: it is parsed, and its words are looked up here. Comparisons are those of pandas: with
    a missing value they are false, and `!=` and `not in` true. Raise SuiteError for what is no condition,
    ColumnError for one that does not fit the columns.
    """
    given, parser = kwargs.get("row_condition"), kwargs.get("condition_parser")
    if parser is not None and parser not in _PARSERS:
        raise SuiteError(f"there is no condition_parser {parser!r} here.", hint=f"There are: {_listed()}.")
    if given is None or given == "":
        return None
    if isinstance(given, Mapping):
        return Condition(json.dumps(given, sort_keys=True, default=str), _structured(given, columns, 0))
    if not isinstance(given, str):
        raise SuiteError(f"row_condition is a {type(given).__name__}, not a condition.", hint=_STRUCTURED)
    return Condition(given, read_text(given, columns))


def _structured(given: Mapping[str, Any], columns: Columns, depth: int) -> pl.Expr:
    kind = given.get("type")
    if depth > _DEEPEST:
        raise SuiteError("row_condition is nested too deep.", hint="Take it apart.")
    if kind == "comparison":
        return _comparison(given, columns)
    if kind == "nullity":
        missing = is_missing(_column(given, columns), columns)
        return missing if given.get("is_null") else ~missing
    if kind == "pass_through":
        return read_text(str(given.get("pass_through_filter", "")), columns)
    if kind in ("and", "or") and isinstance(given.get("conditions"), list) and given["conditions"]:
        parts = [
            _structured(part if isinstance(part, Mapping) else {}, columns, depth + 1)
            for part in given["conditions"]
        ]
        return pl.all_horizontal(parts) if kind == "and" else pl.any_horizontal(parts)
    raise SuiteError(f"row_condition has no kind {kind!r}.", hint=_STRUCTURED)


def _comparison(given: Mapping[str, Any], columns: Columns) -> pl.Expr:
    operator, parameter = given.get("operator"), given.get("parameter")
    term = _column(given, columns)
    if operator in ("IN", "NOT_IN"):
        if not isinstance(parameter, list):
            raise SuiteError(f"the parameter of {operator} is no list.", hint="Give a list of values.")
        found = holds_one_of(term, parameter, columns)
        return found if operator == "IN" else ~found
    if parameter is None or isinstance(parameter, list | Mapping):
        raise SuiteError(
            f"{operator} compares with {parameter!r}, which is no value.", hint='For null there is "nullity".'
        )
    return compare(str(operator), term, Term.constant(parameter), columns)


def _column(given: Mapping[str, Any], columns: Columns) -> Term:
    column = given.get("column")
    name = column.get("name") if isinstance(column, Mapping) else column
    if not isinstance(name, str):
        raise SuiteError("row_condition names no column.", hint=_STRUCTURED)
    return Term.column(name, columns)


def _listed() -> str:
    return ", ".join(_PARSERS[:2])
