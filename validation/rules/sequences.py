"""Rules on the order of a column's values from row to row. Rows without a value are passed over."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pyarrow as pa

from validation.columns import ColumnError, Columns, is_number, is_time
from validation.json_values import kind_of
from validation.rules.rule import ColumnArguments, Kind, Rule
from validation.rules.values import saying


class OrderArguments(ColumnArguments):
    """Hold the kwargs of be_increasing and be_decreasing."""

    strictly: bool | None = None


def _increasing(arguments: OrderArguments, columns: Columns) -> Rule:
    return _ordered("increasing", "above", arguments, columns, pl.Expr.gt)


def _decreasing(arguments: OrderArguments, columns: Columns) -> Rule:
    return _ordered("decreasing", "below", arguments, columns, pl.Expr.lt)


def _ordered(
    name: str,
    side: str,
    arguments: OrderArguments,
    columns: Columns,
    beyond: Callable[[pl.Expr, pl.Expr], pl.Expr],
) -> Rule:
    column, type_ = arguments.column, columns.type_of(arguments.column)
    spans = pa.types.is_duration(type_) or pa.types.is_null(type_) or pa.types.is_decimal(type_)
    if not (is_number(type_) or is_time(type_) or pa.types.is_boolean(type_) or spans):
        raise ColumnError(
            f"{column} is {kind_of(type_)}, which has no order from row to row.",
            hint="Only numbers, booleans and times have one.",
        )
    values = columns.values(column)
    before = values.forward_fill().shift()
    in_order = beyond(values, before)
    if not arguments.strictly:
        in_order = in_order | (values == before)
    elif pa.types.is_floating(type_):
        # Nobody knows what lies between two infinities; the library lets them pass.
        in_order = in_order | ((values == before) & values.is_infinite())
    expression = pl.when(values.is_not_null()).then(in_order | before.is_null())
    wrong = f"not {side} the value before" if arguments.strictly else f"not {side} or at the value before"
    return Rule(f"{name}({column})", column, expression, (column,), saying(column, wrong), per_row=False)


SEQUENCE_KINDS = (
    Kind("expect_column_values_to_be_increasing", OrderArguments, _increasing),
    Kind("expect_column_values_to_be_decreasing", OrderArguments, _decreasing),
)
