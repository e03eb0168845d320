"""Results: what a suite found in a table, in Great Expectations' own words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from enum import StrEnum
from typing import Any

from schemas.errors import UsageError
from validation.suite import Expectation, Suite

_SHOWN = 20  # values of the partial lists, unless asked for another number


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

    @classmethod
    def of(cls, given: str | Mapping[str, Any]) -> ResultFormat:
        """Read a format as Great Expectations takes it: a name, or a mapping with more."""
        options: dict[str, Any] = {"result_format": given} if isinstance(given, str) else dict(given)
        try:
            named = Format(options.pop("result_format", Format.BASIC))
        except ValueError as exc:
            raise UsageError(
                f"There is no result format {given!r}.", hint=f"There are: {', '.join(Format)}."
            ) from exc
        shown = options.pop("partial_unexpected_count", _SHOWN)
        columns = tuple(options.pop("unexpected_index_column_names", None) or ())
        if options:
            raise UsageError(
                f"The result format has no option {next(iter(options))!r}.",
                hint="There are: result_format, partial_unexpected_count, unexpected_index_column_names.",
            )
        if isinstance(shown, bool) or not isinstance(shown, int) or shown < 0:
            raise UsageError(f"partial_unexpected_count {shown!r} is not a number of rows.")
        return cls(named, shown, columns)


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

    suite: Suite
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
            "success_percent": 100 * met / total if total else None,
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


def describe_failures(failures: Failures, wanted: ResultFormat) -> dict[str, Any]:
    """Return the `result` of a rule."""
    if wanted.format is Format.BOOLEAN_ONLY:
        return {}
    partial = list(failures.values[: wanted.shown])
    told: dict[str, Any] = {
        "element_count": failures.elements,
        "unexpected_count": failures.count,
        "unexpected_percent": _percent(failures.count, failures.elements - (failures.missing or 0)),
        "partial_unexpected_list": partial,
    }
    if failures.missing is not None:
        told |= {
            "missing_count": failures.missing,
            "missing_percent": _percent(failures.missing, failures.elements),
            "unexpected_percent_total": _percent(failures.count, failures.elements),
            "unexpected_percent_nonmissing": told["unexpected_percent"],
        }
    if wanted.format is Format.BASIC:
        return told
    told |= {
        "partial_unexpected_counts": _counts(partial),
        "partial_unexpected_index_list": list(failures.index[: wanted.shown]),
    }
    if wanted.format is Format.COMPLETE:
        told |= {
            "unexpected_list": list(failures.values),
            "unexpected_index_list": list(failures.index),
        }
    return told


def json_value(value: Any) -> Any:
    """Return a value as JSON has it: times as ISO 8601, bytes as hexadecimal digits."""
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


def _counts(values: Sequence[Any]) -> list[dict[str, Any]]:
    counted = Counter(map(_hashable, values))
    by_key = {_hashable(value): value for value in values}
    return [{"value": by_key[key], "count": count} for key, count in counted.most_common()]


def _hashable(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else repr(value)


def _percent(count: int, total: int) -> float | None:
    return 100 * count / total if total else None
