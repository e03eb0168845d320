"""Rules on plain columns, as Great Expectations has them: nulls are not judged, and NaN is a null there."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.errors import SuiteError
from validation.columns import Columns, is_number, is_text
from validation.rules.rule import ColumnArguments, Kind, Mask, Rule
from validation.wording import each, show

_Says = Callable[[pa.Table], list[str]]


class BetweenArguments(ColumnArguments):
    """Hold the kwargs of be_between: numbers, or ISO 8601 texts for a time."""

    min_value: Any = None
    max_value: Any = None
    strict_min: bool = False
    strict_max: bool = False


class SetArguments(ColumnArguments):
    """Hold the kwargs of be_in_set and not_be_in_set."""

    value_set: list[Any]


def present(column: str, columns: Columns) -> Mask:
    """Say which rows have a value: neither null nor, in a plain column of floats, NaN."""
    floats = pa.types.is_floating(columns.type_of(column))

    def judge(rows: pa.Table) -> Any:
        values = rows[column]
        if floats:
            return ~np.isnan(values.to_numpy())  # which turns nulls into NaN
        return np.asarray(values.is_valid()) if values.null_count else np.ones(len(values), np.bool_)

    return Mask(f"present({column})", judge)


def _not_null(arguments: ColumnArguments, columns: Columns) -> Rule:
    column = arguments.column
    mask = present(column, columns)

    def says(rows: pa.Table) -> list[str]:
        return [f"{column} is null"] * len(rows)

    return Rule(
        f"not_null({column})", column, mask.expression, (column,), says, (mask,), counts_missing=False
    )


def _null(arguments: ColumnArguments, columns: Columns) -> Rule:
    column = arguments.column
    mask = present(column, columns)
    says = _saying(column, "not null")
    return Rule(f"null({column})", column, ~mask.expression, (column,), says, (mask,), counts_missing=False)


def _between(arguments: BetweenArguments, columns: Columns) -> Rule:
    column, type_ = arguments.column, columns.type_of(arguments.column)
    if not is_number(type_) and not pa.types.is_timestamp(type_):
        raise SuiteError(
            f"{column} is {_kind_of(type_)}; only numbers and times have an order here.", hint=_mend(type_)
        )
    low = _bound("min_value", arguments.min_value, type_)
    high = _bound("max_value", arguments.max_value, type_)
    if low is None and high is None:
        raise SuiteError("min_value and max_value are both missing.", hint="Give one of them.")
    if low is not None and high is not None and low > high:
        raise SuiteError(f"min_value {show(low)} is above max_value {show(high)}.", hint="Swap them.")
    values, judged = columns.values(column), []
    if low is not None:
        judged.append(values > low if arguments.strict_min else values >= low)
    if high is not None:
        judged.append(values < high if arguments.strict_max else values <= high)
    sides = [
        f"{'above' if arguments.strict_min else 'at least'} {show(low)}" if low is not None else "",
        f"{'below' if arguments.strict_max else 'at most'} {show(high)}" if high is not None else "",
    ]
    says = _saying(column, f"not {' and '.join(filter(None, sides))}")
    return Rule(f"between({column})", column, pl.all_horizontal(judged), (column,), says)


def _in_set(arguments: SetArguments, columns: Columns) -> Rule:
    column = arguments.column
    says = _saying(column, f"not one of {show(arguments.value_set)}")
    return Rule(f"in_set({column})", column, _is_in(arguments, columns), (column,), says)


def _not_in_set(arguments: SetArguments, columns: Columns) -> Rule:
    column = arguments.column
    says = _saying(column, f"one of {show(arguments.value_set)}")
    return Rule(f"not_in_set({column})", column, ~_is_in(arguments, columns), (column,), says)


def _is_in(arguments: SetArguments, columns: Columns) -> pl.Expr:
    column, type_ = arguments.column, columns.type_of(arguments.column)
    wanted = [_member(value, column, type_) for value in arguments.value_set if value is not None]
    if pa.types.is_integer(type_):
        # Others equal no integer of 64 bits.
        wanted = [int(value) for value in wanted if float(value).is_integer() and abs(value) < 2**63]
    held = pl.Series(pa.array(wanted, type_))
    # Null is in no set and not judged: is_in keeps it null.
    return columns.values(column).is_in(held.implode())


def _bound(name: str, value: Any, type_: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_timestamp(type_):
        return _time(value, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise SuiteError(f"{name} {show(value)} is not a number.", hint="Write it as 1 or 1.5.")
    # A whole bound is compared as an integer where it fits: a float64 is exact up to 2**53 only.
    whole = pa.types.is_integer(type_) and float(value).is_integer() and abs(value) < 2**63
    return int(value) if whole else float(value)


def _member(value: Any, column: str, type_: pa.DataType) -> Any:
    if pa.types.is_timestamp(type_):
        return _time(value, "value_set")
    if is_text(type_):
        fits = isinstance(value, str)
    elif pa.types.is_boolean(type_):
        fits = isinstance(value, bool) or value in (0, 1)
    elif is_number(type_):
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        raise SuiteError(f"{column} is {_kind_of(type_)}, which has no set.", hint=_mend(type_))
    if not fits:
        raise SuiteError(
            f"{show(value)} in value_set can never be in {column}, which is {_kind_of(type_)}.",
            hint="Write texts in quotes, numbers and booleans without.",
        )
    return bool(value) if pa.types.is_boolean(type_) else value


def _time(value: Any, name: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError) as exc:
        raise SuiteError(
            f"{name} {show(value)} is not a time.", hint="Write it as 2026-01-31T00:00:00Z."
        ) from exc
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _kind_of(type_: pa.DataType) -> str:
    if is_text(type_):
        return "text"
    return "true or false" if pa.types.is_boolean(type_) else f"a column of {type_}"


def _mend(type_: pa.DataType) -> str:
    if pa.types.is_nested(type_) or pa.types.is_binary(type_):
        return "For a whole space there is expect_column_values_to_be_in_space."
    return "For texts and booleans there is expect_column_values_to_be_in_set."


def _saying(column: str, wrong: str) -> _Says:
    def says(rows: pa.Table) -> list[str]:
        return [f"{column} is {value}, {wrong}" for value in each(rows[column])]

    return says


VALUE_KINDS = (
    Kind("expect_column_values_to_not_be_null", ColumnArguments, _not_null),
    Kind("expect_column_values_to_be_null", ColumnArguments, _null),
    Kind("expect_column_values_to_be_between", BetweenArguments, _between),
    Kind("expect_column_values_to_be_in_set", SetArguments, _in_set),
    Kind("expect_column_values_to_not_be_in_set", SetArguments, _not_in_set),
)
