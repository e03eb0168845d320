"""Rules that ask for values to differ: down a column, down several as one key, or side by side in a row."""

from __future__ import annotations

import itertools

import polars as pl

from schemas.errors import SuiteError
from validation.columns import Columns
from validation.rules.pairs import ManyArguments, equality
from validation.rules.rule import ColumnArguments, Kind, Rule
from validation.rules.values import row_saying, saying


def _unique(arguments: ColumnArguments, columns: Columns) -> Rule:
    column = arguments.column
    values = columns.values(column)
    expression = pl.when(values.is_not_null()).then(values.is_unique())
    says = saying(column, "and not the only one")
    return Rule(f"unique({column})", column, expression, (column,), says, per_row=False)


def _compound(arguments: ManyArguments, columns: Columns) -> Rule:
    names = _names(arguments)
    # Among the rows that are judged: those passed over have a null where the others have none, or only nulls.
    key = pl.struct(columns.values(name).alias(name) for name in names)
    expression = pl.when(~_ignored(arguments, columns)).then(key.is_unique())
    says = row_saying(names, "there is another row with these")
    return Rule(f"unique({','.join(names)})", None, expression, names, says, per_row=False)


def _within_record(arguments: ManyArguments, columns: Columns) -> Rule:
    names = _names(arguments)
    same = [_same(first, second, columns) for first, second in itertools.combinations(names, 2)]
    expression = pl.when(~_ignored(arguments, columns)).then(~pl.any_horizontal(same))
    says = row_saying(names, "two of these are equal")
    return Rule(f"differ({','.join(names)})", None, expression, names, says)


def _same(first: str, second: str, columns: Columns) -> pl.Expr:
    """Compare row by row; two nulls are equal."""
    a, b = columns.values(first), columns.values(second)
    both_missing = a.is_null() & b.is_null()
    return both_missing | equality(first, second, columns).fill_null(False)


def _ignored(arguments: ManyArguments, columns: Columns) -> pl.Expr:
    missing = [columns.values(name).is_null() for name in arguments.column_list]
    return {
        "all_values_are_missing": pl.all_horizontal(missing),
        "any_value_is_missing": pl.any_horizontal(missing),
        "never": pl.lit(False),
    }[arguments.ignore_row_if]


def _names(arguments: ManyArguments) -> tuple[str, ...]:
    names = tuple(arguments.column_list)
    for name in names:
        if names.count(name) > 1:
            raise SuiteError(f"column_list has {name!r} twice.", hint="Name each column once.")
    return names


UNIQUENESS_KINDS = (
    Kind("expect_column_values_to_be_unique", ColumnArguments, _unique),
    Kind("expect_compound_columns_to_be_unique", ManyArguments, _compound),
    Kind("expect_select_column_values_to_be_unique_within_record", ManyArguments, _within_record),
)
