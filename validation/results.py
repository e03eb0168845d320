"""Results: what a suite found in a table, in Great Expectations' own words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from enum import StrEnum
from typing import Any

import polars as pl

from schemas.errors import UsageError
from validation.expectation import Expectation, Expectations

_SHOWN = 20  # values of the partial lists, unless asked for another number
_OPTIONS = (
    "result_format",
    "partial_unexpected_count",
    "unexpected_index_column_names",
    "include_unexpected_rows",
    "exclude_unexpected_values",
    "return_unexpected_index_query",
    "map_expectation_unexpected_rows_as_dict",  # which changes nothing in JSON: a row is a mapping in it
)


class Format(StrEnum):
    """Name how much of a result is told."""

    BOOLEAN_ONLY = "BOOLEAN_ONLY"
    BASIC = "BASIC"
    SUMMARY = "SUMMARY"
    COMPLETE = "COMPLETE"


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """Say how much of a result is told, and of how many rows in its partial lists."""

    format: Format = Format.BASIC
    shown: int = _SHOWN
    index_columns: tuple[str, ...] = ()  # name failing rows by these columns instead of their numbers
    with_rows: bool = False  # the failing rows as a whole, as many as are shown
    with_values: bool = True
    with_query: bool | None = None  # how pandas finds the rows; None: where the format is COMPLETE

    @classmethod
    def of(cls, given: str | Mapping[str, Any]) -> ResultFormat:
        """Read a format as Great Expectations takes it: a name, or a mapping with more."""
        options: dict[str, Any] = {"result_format": given} if isinstance(given, str) else dict(given)
        try:
            named = Format(options.get("result_format", Format.BASIC))
        except ValueError as exc:
            raise UsageError(
                f"There is no result format {options['result_format']!r}.",
                hint=f"There are: {', '.join(Format)}.",
            ) from exc
        for name in options:
            if name not in _OPTIONS:
                raise UsageError(
                    f"The result format has no option {name!r}.", hint=f"There are: {', '.join(_OPTIONS)}."
                )
        shown = options.get("partial_unexpected_count", _SHOWN)
        if isinstance(shown, bool) or not isinstance(shown, int) or shown < 0:
            raise UsageError(f"partial_unexpected_count {shown!r} is not a number of rows.")
        columns = options.get("unexpected_index_column_names") or ()
        return cls(
            named,
            shown,
            (columns,) if isinstance(columns, str) else tuple(columns),
            bool(options.get("include_unexpected_rows")),
            not options.get("exclude_unexpected_values"),
            options.get("return_unexpected_index_query"),
        )

    @property
    def tells_query(self) -> bool:
        """Whether it tells how pandas finds the failing rows."""
        return self.format is Format.COMPLETE if self.with_query is None else self.with_query

    @property
    def reach(self) -> int | None:
        """How many failing rows it tells of; None for all."""
        return None if self.format is Format.COMPLETE else self.shown


@dataclass(frozen=True, slots=True)
class Result:
    """Hold what one expectation found."""

    expectation: Expectation
    success: bool
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""  # why it could not be judged; then success is False

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values with Great Expectations' own keys."""
        config = self.expectation.to_dict()
        return {
            "success": self.success,
            "expectation_config": {"meta": {}, **config},
            "result": dict(self.result),
            "meta": {},
            "exception_info": {
                "raised_exception": bool(self.error),
                "exception_traceback": None,
                "exception_message": self.error or None,
            },
        }


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """Hold what a suite found in a table."""

    suite: Expectations
    results: tuple[Result, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def success(self) -> bool:
        """Whether every expectation was met."""
        return all(result.success for result in self.results)

    @property
    def statistics(self) -> dict[str, Any]:
        """Count the expectations."""
        total, met = len(self.results), sum(result.success for result in self.results)
        return {
            "evaluated_expectations": total,
            "successful_expectations": met,
            "unsuccessful_expectations": total - met,
            "success_percent": met / total * 100 if total else None,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values with Great Expectations' own keys."""
        return {
            "success": self.success,
            "results": [result.to_dict() for result in self.results],
            "suite_name": self.suite.name,
            "suite_parameters": {},
            "statistics": self.statistics,
            "meta": dict(self.meta),
            "id": None,
        }


@dataclass(frozen=True, slots=True)
class Failures:
    """Hold the rows of a table that a rule found unexpected, and how many it looked at."""

    elements: int
    missing: int | None  # None where a null is what the rule is about
    count: int
    values: Sequence[Any]  # of as many of those rows as the format tells of
    index: Sequence[Any]  # likewise; a number, a label, or a mapping of columns
    rows: Sequence[Any] = ()  # likewise, whole
    query: str | None = None  # how pandas finds them


def describe_failures(failures: Failures, wanted: ResultFormat) -> dict[str, Any]:
    """Return the `result` of a rule."""
    query = {"unexpected_index_query": failures.query} if failures.query is not None else {}
    columns = {"unexpected_index_column_names": list(wanted.index_columns)} if wanted.index_columns else {}
    if wanted.format is Format.BOOLEAN_ONLY:
        return {**query, **columns} if query else {}
    partial = list(failures.values[: wanted.shown])
    total = _percent(failures.count, failures.elements)
    judged = _percent(failures.count, failures.elements - (failures.missing or 0))
    told: dict[str, Any] = {
        "element_count": failures.elements,
        "unexpected_count": failures.count,
        "unexpected_percent": judged,
        **columns,
    }
    if wanted.with_values:
        told["partial_unexpected_list"] = partial
    if failures.missing is not None:
        told |= {
            "missing_count": failures.missing,
            "missing_percent": _percent(failures.missing, failures.elements),
            "unexpected_percent_total": total,
            "unexpected_percent_nonmissing": judged,
        }
    if wanted.with_rows:
        told["unexpected_rows"] = list(failures.rows)
    if wanted.format is Format.BASIC:
        return told | query
    if wanted.shown:
        told["partial_unexpected_index_list"] = list(failures.index[: wanted.shown])
        if wanted.with_values:
            told |= _counts(failures.values, wanted.shown)
    if wanted.format is Format.COMPLETE:
        if wanted.with_values:
            told["unexpected_list"] = list(failures.values)
        told["unexpected_index_list"] = list(failures.index)
    return told | query


def json_value(value: Any) -> Any:
    """Return a value as JSON has it: times as ISO 8601, bytes as hexadecimal digits, NaN as null."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, datetime | date | clock_time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): json_value(held) for key, held in value.items()}
    return [json_value(held) for held in value] if isinstance(value, list | tuple) else value


def json_list(column: pl.Series) -> list[Any]:
    """Return the values of a column as JSON has them."""
    if column.dtype.is_float():
        return [None if value != value else value for value in column.to_list()]
    if column.dtype.is_integer() or column.dtype in (pl.String, pl.Boolean):
        return column.to_list()
    return [json_value(value) for value in column.to_list()]


def _counts(values: Sequence[Any], shown: int) -> dict[str, Any]:
    """Count the values that are met most often; nothing where they cannot be counted, as lists cannot."""
    flat = [tuple(value.values()) if isinstance(value, Mapping) else value for value in values]
    held = [tuple(value) if isinstance(value, list) else value for value in flat]
    try:
        common = Counter(held).most_common(shown)
    except TypeError:
        return {}
    common.sort(key=lambda pair: (-pair[1], _order(pair[0])))
    counted = [
        {"value": list(value) if isinstance(value, tuple) else value, "count": count}
        for value, count in common
    ]
    return {"partial_unexpected_counts": counted}


def _order(value: Any) -> Any:
    """Order values that were counted equally often: nulls last, and what is not of one type by its type."""
    if isinstance(value, tuple):
        return tuple(_order(part) for part in value)
    number = isinstance(value, int | float)
    return (value is None, "" if number else type(value).__name__, value if value is not None else 0)


def _percent(count: int, total: int) -> float | None:
    return count / total * 100 if total else None
