"""Rules that put the values of a column between bounds."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from schemas.errors import SuiteError
from validation.columns import ColumnError, Columns, is_number, is_time
from validation.json_values import kind_of
from validation.rules.rule import ColumnArguments, Kind, Rule
from validation.rules.values import limit, mend, saying
from validation.wording import show


class BetweenArguments(ColumnArguments):
    """Hold the kwargs of be_between: numbers, or ISO 8601 texts for a time."""

    min_value: Any = None
    max_value: Any = None
    strict_min: bool = False
    strict_max: bool = False


def within(
    values: pl.Expr, low: Any, high: Any, *, strict_min: bool, strict_max: bool
) -> tuple[pl.Expr, str]:
    """Ask for values between bounds, of which one may be None, and say what is asked."""
    judged, sides = [], []
    if low is not None:
        judged.append(values > low if strict_min else values >= low)
        sides.append(f"{'above' if strict_min else 'at least'} {show(low)}")
    if high is not None:
        judged.append(values < high if strict_max else values <= high)
        sides.append(f"{'below' if strict_max else 'at most'} {show(high)}")
    return pl.all_horizontal(judged), " and ".join(sides)


def check_bounds(low: Any, high: Any) -> None:
    """Raise SuiteError where nothing is asked, ColumnError where nothing can be between."""
    if low is None and high is None:
        raise SuiteError("min_value and max_value are both missing.", hint="Give one of them.")
    if low is not None and high is not None and low > high:
        raise ColumnError(f"min_value {show(low)} is above max_value {show(high)}.", hint="Swap them.")


def _between(arguments: BetweenArguments, columns: Columns) -> Rule:
    column, type_ = arguments.column, columns.type_of(arguments.column)
    _check_order(arguments)
    counted = pa.types.is_boolean(type_) and not columns.strict  # for the library True is 1
    if not (is_number(type_) or is_time(type_) or counted):
        raise ColumnError(
            f"{column} is {kind_of(type_)}; only numbers and times have an order here.",
            hint=mend(type_),
            column=column,
        )
    low, high = (
        None if value is None else limit(name, value, column, columns)
        for name, value in (("min_value", arguments.min_value), ("max_value", arguments.max_value))
    )
    check_bounds(low, high)
    values = columns.values(column)
    expression, asked = within(
        values.cast(pl.Int8) if counted else values,
        low,
        high,
        strict_min=arguments.strict_min,
        strict_max=arguments.strict_max,
    )
    return Rule(f"between({column})", column, expression, (column,), saying(column, f"not {asked}"))


def _check_order(arguments: BetweenArguments) -> None:
    """Refuse swapped numbers, which is wrong whatever the column holds."""
    ends = (arguments.min_value, arguments.max_value)
    if all(isinstance(end, int | float) for end in ends):
        check_bounds(*ends)


COMPARISON_KINDS = (Kind("expect_column_values_to_be_between", BetweenArguments, _between),)
