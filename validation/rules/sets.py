"""Rules that ask for values of a set."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from schemas.errors import SuiteError
from validation.columns import ColumnError, Columns, is_number, is_text, is_time
from validation.json_values import column_of, kind_of
from validation.rules.rule import ColumnArguments, Kind, Rule
from validation.rules.values import mend, saying
from validation.wording import show


class SetArguments(ColumnArguments):
    """Hold the kwargs of be_in_set and not_be_in_set."""

    value_set: list[Any]


def _in_set(arguments: SetArguments, columns: Columns) -> Rule:
    column = arguments.column
    says = saying(column, f"not one of {show(arguments.value_set)}")
    return Rule(f"in_set({column})", column, _is_in(arguments, columns), (column,), says)


def _not_in_set(arguments: SetArguments, columns: Columns) -> Rule:
    column = arguments.column
    says = saying(column, f"one of {show(arguments.value_set)}")
    return Rule(f"not_in_set({column})", column, ~_is_in(arguments, columns), (column,), says)


def _is_in(arguments: SetArguments, columns: Columns) -> pl.Expr:
    column, type_ = arguments.column, columns.type_of(arguments.column)
    if not (is_text(type_) or is_number(type_) or is_time(type_) or pa.types.is_boolean(type_)):
        raise ColumnError(f"{column} is {kind_of(type_)}, which has no set.", hint=mend(type_), column=column)
    wanted = [value for value in arguments.value_set if value is not None]
    if columns.strict:
        for value in wanted:
            _check_member(value, column, type_)
    # Null is in no set and not judged: is_in keeps it null.
    return columns.values(column).is_in(column_of(wanted, type_).implode())


def _check_member(value: Any, column: str, type_: pa.DataType) -> None:
    """Refuse what an author can only have meant otherwise. Great Expectations has it equal to nothing."""
    if is_text(type_):
        fits = isinstance(value, str)
    elif pa.types.is_boolean(type_):
        fits = isinstance(value, bool) or value in (0, 1)
    elif is_number(type_):
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = len(column_of([value], type_)) == 1
    if not fits:
        raise SuiteError(
            f"{show(value)} in value_set can never be in {column}, which is {kind_of(type_)}.",
            hint="Write texts in quotes, numbers and booleans without, times as 2026-01-31T00:00:00Z.",
        )


SET_KINDS = (
    Kind("expect_column_values_to_be_in_set", SetArguments, _in_set),
    Kind("expect_column_values_to_not_be_in_set", SetArguments, _not_in_set),
)
