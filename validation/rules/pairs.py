"""Rules on values that stand side by side in a row."""

from __future__ import annotations

import itertools
from functools import reduce
from typing import Annotated, Any, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field

from validation.columns import ColumnError, Columns, is_number, is_text, is_time
from validation.json_values import NeverEqualError, comparable, kind_of
from validation.rules.rule import Kind, Rule, RuleArguments
from validation.rules.values import row_saying
from validation.wording import show

_Ignore = Literal["both_values_are_missing", "either_value_is_missing", "neither"]
_IgnoreOfMany = Literal["all_values_are_missing", "any_value_is_missing", "never"]


class PairArguments(RuleArguments):
    """Hold the kwargs of an expectation on two columns."""

    column_A: str
    column_B: str
    ignore_row_if: _Ignore = "both_values_are_missing"


class GreaterArguments(PairArguments):
    """Hold the kwargs of a_to_be_greater_than_b."""

    or_equal: bool | None = None


class PairSetArguments(PairArguments):
    """Hold the kwargs of pair_values_to_be_in_set."""

    value_pairs_set: list[Annotated[list[Any], Field(min_length=2, max_length=2)]]


class ManyArguments(RuleArguments):
    """Hold the kwargs of an expectation on several columns."""

    column_list: Annotated[list[str], Field(min_length=2)]
    ignore_row_if: _IgnoreOfMany = "all_values_are_missing"


class SumArguments(ManyArguments):
    """Hold the kwargs of multicolumn_sum_to_equal."""

    sum_total: float


def _equal(arguments: PairArguments, columns: Columns) -> Rule:
    first, second = arguments.column_A, arguments.column_B
    equal = equality(first, second, columns)
    return _pair_rule(f"equal({first},{second})", arguments, columns, equal, "not equal")


def _greater(arguments: GreaterArguments, columns: Columns) -> Rule:
    first, second = arguments.column_A, arguments.column_B
    if not _alike(first, second, columns) or pa.types.is_nested(columns.type_of(first)):
        types = f"{kind_of(columns.type_of(first))} and {kind_of(columns.type_of(second))}"
        raise ColumnError(f"{first} and {second} are {types}, which have no order between them.")
    a, b = _ordered(first, columns), _ordered(second, columns)
    expression = a >= b if arguments.or_equal else a > b
    wrong = "not in this order"
    return _pair_rule(f"greater({first},{second})", arguments, columns, expression, wrong)


def _in_set(arguments: PairSetArguments, columns: Columns) -> Rule:
    first, second = arguments.column_A, arguments.column_B
    pairs = []
    for a, b in arguments.value_pairs_set:
        try:
            pairs.append((_member(a, first, columns), _member(b, second, columns)))
        except NeverEqualError:
            continue
    a_values, b_values = columns.values(first), columns.values(second)
    found = [
        (a_values.is_null() if a is None else (a_values == a).fill_null(False))
        & (b_values.is_null() if b is None else (b_values == b).fill_null(False))
        for a, b in pairs
    ]
    expression = pl.any_horizontal(found) if found else pl.lit(False)
    wrong = f"not one of {show(arguments.value_pairs_set)}"
    return _pair_rule(f"in_set({first},{second})", arguments, columns, expression, wrong)


def _sum(arguments: SumArguments, columns: Columns) -> Rule:
    terms = []
    for column in arguments.column_list:
        type_ = columns.type_of(column)
        if not is_number(type_) and not pa.types.is_boolean(type_):
            raise ColumnError(f"{column} is {kind_of(type_)}, which has no sum.", column=column)
        exact = pl.Int64 if not pa.types.is_floating(type_) else pl.Float64
        terms.append(columns.values(column).cast(exact))
    total = arguments.sum_total
    expression = reduce(lambda left, right: left + right, terms) == total
    return _many_rule("sum", arguments, columns, expression, f"whose sum is not {total:g}")


def _all_equal(arguments: ManyArguments, columns: Columns) -> Rule:
    first, *others = arguments.column_list
    equal = [_same(first, other, columns) for other in others]
    return _many_rule("all_equal", arguments, columns, pl.all_horizontal(equal), "not all equal")


def _unlike(arguments: ManyArguments, columns: Columns) -> Rule:
    alike = [_same(a, b, columns) for a, b in itertools.combinations(arguments.column_list, 2)]
    return _many_rule("unlike", arguments, columns, ~pl.any_horizontal(alike), "not all different")


def _same(first: str, second: str, columns: Columns) -> pl.Expr:
    """Compare two columns; two nulls are the same."""
    missing = columns.values(first).is_null() & columns.values(second).is_null()
    return equality(first, second, columns).fill_null(False) | missing


def equality(first: str, second: str, columns: Columns) -> pl.Expr:
    """Compare two columns row by row; what is not of one kind is never equal, null where one is null."""
    if not _alike(first, second, columns):
        return pl.lit(False)
    return _ordered(first, columns) == _ordered(second, columns)


def _ordered(column: str, columns: Columns) -> pl.Expr:
    values = columns.values(column)
    return values.cast(pl.Int8) if pa.types.is_boolean(columns.type_of(column)) else values


def _alike(first: str, second: str, columns: Columns) -> bool:
    a, b = columns.type_of(first), columns.type_of(second)
    groups = (is_text, lambda type_: is_number(type_) or pa.types.is_boolean(type_))
    if is_time(a) and is_time(b):
        return (getattr(a, "tz", None) is None) == (getattr(b, "tz", None) is None)
    return a == b or any(group(a) and group(b) for group in groups)


def _member(value: Any, column: str, columns: Columns) -> Any:
    return None if value is None else comparable(value, columns.type_of(column))


def _pair_rule(code: str, arguments: PairArguments, columns: Columns, holds: pl.Expr, wrong: str) -> Rule:
    names = (arguments.column_A, arguments.column_B)
    missing = [columns.values(name).is_null() for name in names]
    ignored = {
        "both_values_are_missing": pl.all_horizontal(missing),
        "either_value_is_missing": pl.any_horizontal(missing),
        "neither": missing[0] & False,
    }[arguments.ignore_row_if]
    expression = pl.when(~ignored).then(holds.fill_null(False))
    return Rule(code, None, expression, names, row_saying(names, wrong))


def _many_rule(code: str, arguments: ManyArguments, columns: Columns, holds: pl.Expr, wrong: str) -> Rule:
    names = tuple(arguments.column_list)
    missing = [columns.values(name).is_null() for name in names]
    ignored = {
        "all_values_are_missing": pl.all_horizontal(missing),
        "any_value_is_missing": pl.any_horizontal(missing),
        "never": missing[0] & False,
    }[arguments.ignore_row_if]
    expression = pl.when(~ignored).then(holds.fill_null(False))
    return Rule(f"{code}({','.join(names)})", None, expression, names, row_saying(names, wrong))


PAIR_KINDS = (
    Kind("expect_column_pair_values_to_be_equal", PairArguments, _equal),
    Kind("expect_column_pair_values_a_to_be_greater_than_b", GreaterArguments, _greater),
    Kind("expect_column_pair_values_to_be_in_set", PairSetArguments, _in_set),
    Kind("expect_multicolumn_sum_to_equal", SumArguments, _sum),
    Kind("expect_multicolumn_values_to_be_equal", ManyArguments, _all_equal),
    Kind("expect_select_column_values_to_be_unique_within_record", ManyArguments, _unlike),
)
