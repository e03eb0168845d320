"""What rules on plain columns share: which values there are, their bounds, and words for what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.errors import SuiteError
from validation.columns import ColumnError, Columns, is_time
from validation.json_values import LONGEST, NeverEqualError, time_value
from validation.rules.rule import Mask
from validation.wording import each, show

Says = Callable[[pa.Table], list[str]]
_HUGE = 2**1000  # as good as any larger integer, and a float


def present(column: str, columns: Columns) -> Mask:
    """Say which rows have a value: neither null nor, in a plain column of floats, NaN."""
    floats = pa.types.is_floating(columns.type_of(column))

    def judge(rows: pa.Table) -> Any:
        values = rows[column]
        if floats:
            return ~np.isnan(values.to_numpy())  # which turns nulls into NaN
        return np.asarray(values.is_valid()) if values.null_count else np.ones(len(values), np.bool_)

    return Mask(f"present({column})", judge)


def saying(column: str, wrong: str) -> Says:
    """Write for each row what its value is, and what is wrong with it."""

    def says(rows: pa.Table) -> list[str]:
        return [f"{column} is {value}, {wrong}" for value in each(rows[column])]

    return says


def row_saying(names: Sequence[str], wrong: str) -> Says:
    """Write for each row what its values are, and what is wrong with them."""

    def says(rows: pa.Table) -> list[str]:
        held = zip(*(each(rows[name]) for name in names), strict=True)
        return [
            f"{', '.join(f'{name} is {value}' for name, value in zip(names, values, strict=True))}: {wrong}"
            for values in held
        ]

    return says


def limit(name: str, value: Any, column: str, columns: Columns) -> Any:
    """Return a bound for the values of a column, exact; raise SuiteError where it can bound none.

    Over a table numbers may be texts, as the library takes them; at a gate that is a mistake.
    """
    type_ = columns.type_of(column)
    if is_time(type_) and (columns.strict or isinstance(value, str)):
        try:
            return time_value(value, type_)
        except NeverEqualError as exc:
            raise ColumnError(
                f"{name} {show(value)} is not a time.", hint="Write it as 2026-01-31T00:00:00Z."
            ) from exc
    number = value if columns.strict else _lenient(value)
    if isinstance(number, bool) or not isinstance(number, int | float) or math.isnan(number):
        error = ColumnError if isinstance(value, str) and _is_iso(value) else SuiteError
        raise error(f"{name} {show(value)} is not a number.", hint="Write it as 1 or 1.5.")
    if is_time(type_):
        raise ColumnError(f"{name} {show(value)} is not a time.", column=column)
    if not pa.types.is_floating(type_) and abs(number) < LONGEST and float(number).is_integer():
        return int(number)
    return float(max(-_HUGE, min(number, _HUGE))) if isinstance(number, int) else number


def mend(type_: pa.DataType) -> str:
    """Say which expectation there is for a column that has no order, or no set."""
    if pa.types.is_nested(type_) or pa.types.is_binary(type_):
        return "For a whole space there is expect_column_values_to_be_in_space."
    return "For texts and booleans there is expect_column_values_to_be_in_set."


def _lenient(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _is_iso(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
