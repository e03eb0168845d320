"""Bounds of what was measured of a table: Great Expectations' min_value and max_value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.errors import SuiteError
from validation.columns import ColumnError, Columns
from validation.rules.numbers import is_single, none_for_nan
from validation.rules.rule import Arguments, Observed
from validation.rules.values import limit
from validation.wording import show

Judge = Callable[[Mapping[str, Any]], Observed]


class BoundsArguments(Arguments):
    """Hold the kwargs of an expectation that puts one value of a table between bounds."""

    min_value: Any = None
    max_value: Any = None
    strict_min: bool = False
    strict_max: bool = False


class ColumnBoundsArguments(BoundsArguments):
    """Hold the kwargs of an expectation that puts one value of a column between bounds."""

    column: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """Hold what a measured value must lie between; None is no bound."""

    low: Any
    high: Any
    strict_low: bool = False
    strict_high: bool = False

    @classmethod
    def of_values(cls, arguments: ColumnBoundsArguments, columns: Columns) -> Bounds:
        """Read bounds of values like the column's own: numbers, or times where it has those."""
        try:
            low, high = (
                None if value is None else limit(name, value, arguments.column, columns)
                for name, value in (("min_value", arguments.min_value), ("max_value", arguments.max_value))
            )
        except ColumnError as exc:  # which is no misfit of rows: without values there is nothing within
            raise ColumnError(exc.message, hint=exc.hint) from exc
        return cls(low, high, arguments.strict_min, arguments.strict_max)

    @classmethod
    def of_numbers(cls, arguments: BoundsArguments, *, whole: bool = False) -> Bounds:
        """Read bounds of a number, or of a count where they must be whole; raise SuiteError for others."""
        for name, value in (("min_value", arguments.min_value), ("max_value", arguments.max_value)):
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
                raise SuiteError(f"{name} {show(value)} is not a number.", hint="Write it as 1 or 1.5.")
            if whole and not float(value).is_integer():
                raise SuiteError(f"{name} {show(value)} is not a whole number.", hint="It bounds a count.")
        return cls(arguments.min_value, arguments.max_value, arguments.strict_min, arguments.strict_max)

    def hold(self, value: Any) -> bool:
        """Say whether a value is within; raise ColumnError where it has no order with a bound."""
        try:
            above = self.low is None or (value > self.low if self.strict_low else value >= self.low)
            below = self.high is None or (value < self.high if self.strict_high else value <= self.high)
        except TypeError as exc:
            bound = self.high if self.low is None else self.low
            raise ColumnError(f"{show(value)} cannot be compared with {show(bound)}.") from exc
        return bool(above and below)

    def judge(self, values: Mapping[str, Any]) -> Observed:
        """Judge the measured value; where there is none, it is not within."""
        value = none_for_nan(values["value"])
        return Observed(value is not None and self.hold(value), value)

    def judge_of(self, column: str, columns: Columns) -> Judge:
        """Return the judge of a column's value: with 32 bits where its floats have no more."""
        if not is_single(column, columns):
            return self.judge
        rounded = Bounds(_single(self.low), _single(self.high), self.strict_low, self.strict_high)

        def judge(values: Mapping[str, Any]) -> Observed:
            return rounded.judge({"value": _single(values["value"])})

        return judge


def _single(value: Any) -> Any:
    return value if value is None else float(np.float32(value))
