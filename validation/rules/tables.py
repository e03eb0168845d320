"""Measures on the table itself: its rows, and the names of its columns."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Annotated, Any

import polars as pl
from pydantic import Field

from schemas.errors import SuiteError
from validation.columns import Columns
from validation.rules.bounds import Bounds, BoundsArguments
from validation.rules.rule import Arguments, Kind, Measure, Observed
from validation.wording import show


class CountBoundsArguments(Arguments):
    """Hold the kwargs of table_column_count_to_be_between."""

    min_value: Any = None
    max_value: Any = None


class CountArguments(Arguments):
    """Hold the kwargs of an expectation of one exact count."""

    value: Annotated[float, Field(allow_inf_nan=False)]


class ExistArguments(Arguments):
    """Hold the kwargs of column_to_exist."""

    column: Annotated[str, Field(min_length=1)]
    column_index: int | None = None


class OrderedListArguments(Arguments):
    """Hold the kwargs of columns_to_match_ordered_list."""

    column_list: list[str] | None = None


class NameSetArguments(Arguments):
    """Hold the kwargs of columns_to_match_set."""

    column_set: list[str] | None = None
    exact_match: bool | None = True


def _rows_between(arguments: BoundsArguments, _: Columns) -> Measure:
    bounds = Bounds.of_numbers(arguments, whole=True)
    if bounds.low is not None and bounds.high is not None and bounds.low > bounds.high:
        raise SuiteError(
            f"min_value {show(bounds.low)} is above max_value {show(bounds.high)}.", hint="Swap them."
        )
    return Measure("row_count", None, {"value": pl.len()}, bounds.judge)


def _rows_equal(arguments: CountArguments, _: Columns) -> Measure:
    wanted = _whole(arguments.value)
    return Measure("row_count", None, {"value": pl.len()}, Bounds(wanted, wanted).judge)


def _columns_between(arguments: CountBoundsArguments, columns: Columns) -> Measure:
    given = BoundsArguments(min_value=arguments.min_value, max_value=arguments.max_value)
    return _column_count(Bounds.of_numbers(given), columns)


def _columns_equal(arguments: CountArguments, columns: Columns) -> Measure:
    wanted = _whole(arguments.value)
    return _column_count(Bounds(wanted, wanted), columns)


def _column_count(bounds: Bounds, columns: Columns) -> Measure:
    count = len(names_of(columns))
    return Measure("column_count", None, {}, lambda _: bounds.judge({"value": count}))


def _exists(arguments: ExistArguments, columns: Columns) -> Measure:
    names, wanted = names_of(columns), arguments.column
    success = wanted in names
    if arguments.column_index:  # not 0: the library takes that one for none
        place = arguments.column_index
        success = -len(names) <= place < len(names) and names[place] == wanted
    return _known("exists", Observed(success, shows_value=False), wanted)


def _match_list(arguments: OrderedListArguments, columns: Columns) -> Measure:
    names, wanted = names_of(columns), arguments.column_list
    if wanted is None or wanted == names:
        return _known("column_list", Observed(True, names))
    mismatched = [
        {"Expected Column Position": place, "Expected": expected, "Found": found}
        for place, (expected, found) in enumerate(zip_longest(wanted, names))
        if expected != found
    ]
    return _known("column_list", Observed(False, names, {"mismatched": mismatched}))


def _match_set(arguments: NameSetArguments, columns: Columns) -> Measure:
    names, wanted = set(names_of(columns)), set(arguments.column_set or ())
    unexpected, missing = sorted(names - wanted), sorted(wanted - names)
    if not unexpected and not missing:
        return _known("column_set", Observed(True, sorted(names)))
    success = not missing and not arguments.exact_match
    told = {"unexpected": unexpected, "missing": missing}
    details = {"mismatched": {what: held for what, held in told.items() if held}}
    return _known("column_set", Observed(success, sorted(names), details))


def names_of(columns: Columns) -> list[str]:
    """Return the names of the columns in order; those without one type come last."""
    return [*columns.schema.names, *columns.unreadable]


def _known(name: str, observed: Observed, column: str | None = None) -> Measure:
    """Make a measure of what the columns alone decide."""
    return Measure(name if column is None else f"{name}({column})", column, {}, _saying(observed))


def _saying(observed: Observed) -> Callable[[Any], Observed]:
    return lambda _: observed


def _whole(value: float) -> int:
    if not float(value).is_integer():
        raise SuiteError(f"value {show(value)} is not a whole number.", hint="It is a count.")
    return int(value)


TABLE_KINDS = (
    Kind("expect_table_row_count_to_be_between", BoundsArguments, _rows_between),
    Kind("expect_table_row_count_to_equal", CountArguments, _rows_equal),
    Kind("expect_table_column_count_to_be_between", CountBoundsArguments, _columns_between),
    Kind("expect_table_column_count_to_equal", CountArguments, _columns_equal),
    Kind("expect_column_to_exist", ExistArguments, _exists),
    Kind("expect_table_columns_to_match_ordered_list", OrderedListArguments, _match_list),
    Kind("expect_table_columns_to_match_set", NameSetArguments, _match_set),
)
