"""Measures that put one number of a column between bounds: its mean, its largest value, how many differ."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pyarrow as pa

from validation.columns import ColumnError, Columns, is_text, is_time
from validation.json_values import kind_of
from validation.rules.bounds import Bounds, ColumnBoundsArguments
from validation.rules.numbers import mean_and_deviation, numbers, statistic, total
from validation.rules.rule import Kind, Measure

_Build = Callable[[ColumnBoundsArguments, Columns], Measure]


def _extreme(name: str, most: Callable[[pl.Expr], pl.Expr]) -> _Build:
    def build(arguments: ColumnBoundsArguments, columns: Columns) -> Measure:
        column, type_ = arguments.column, columns.type_of(arguments.column)
        if is_text(type_) or is_time(type_) or pa.types.is_boolean(type_):
            values = pl.col(column)
        else:
            values = numbers(column, columns, "order")
        bounds = Bounds.of_values(arguments, columns)
        return _measure(name, arguments, columns, most(values), bounds)

    return build


def _mean(arguments: ColumnBoundsArguments, columns: Columns) -> Measure:
    column = arguments.column
    bounds = Bounds.of_values(arguments, columns)
    if pa.types.is_timestamp(columns.type_of(column)):
        return _measure("mean", arguments, columns, pl.col(column).mean(), bounds)
    mean = statistic(numbers(column, columns, "mean"), mean_and_deviation).list.get(0)
    return _measure("mean", arguments, columns, mean, bounds)


def _median(arguments: ColumnBoundsArguments, columns: Columns) -> Measure:
    column = arguments.column
    bounds = Bounds.of_values(arguments, columns)
    if pa.types.is_timestamp(columns.type_of(column)):
        return _measure("median", arguments, columns, pl.col(column).median(), bounds)
    values = numbers(column, columns, "median").cast(pl.Float64)
    middle = (values.quantile(0.5, "lower") + values.quantile(0.5, "higher")) / 2
    return _measure("median", arguments, columns, middle, bounds)


def _deviation(arguments: ColumnBoundsArguments, columns: Columns) -> Measure:
    values = numbers(arguments.column, columns, "standard deviation")
    deviation = statistic(values, mean_and_deviation).list.get(1)
    return _measure("stdev", arguments, columns, deviation, Bounds.of_numbers(arguments))


def _sum(arguments: ColumnBoundsArguments, columns: Columns) -> Measure:
    values = numbers(arguments.column, columns, "sum")
    floats = pa.types.is_floating(columns.type_of(arguments.column))
    summed = statistic(values, lambda series: [total(series)]).list.get(0) if floats else values.sum()
    return _measure("sum", arguments, columns, summed, Bounds.of_values(arguments, columns))


def _unique_count(arguments: ColumnBoundsArguments, columns: Columns) -> Measure:
    values = _values(arguments.column, columns)
    bounds = Bounds.of_numbers(arguments, whole=True)
    return _count("unique_count", arguments, values.n_unique(), bounds)


def _unique_share(arguments: ColumnBoundsArguments, columns: Columns) -> Measure:
    values = _values(arguments.column, columns)
    share = pl.when(values.len() > 0).then(values.n_unique() / values.len()).otherwise(0.0)
    return _count("unique_share", arguments, share, Bounds.of_numbers(arguments))


def _present_share(arguments: ColumnBoundsArguments, columns: Columns) -> Measure:
    values = columns.values(arguments.column)
    share = pl.when(pl.len() > 0).then(values.count() / pl.len()).otherwise(0.0)
    return _count("present_share", arguments, share, Bounds.of_numbers(arguments))


def _values(column: str, columns: Columns) -> pl.Expr:
    type_ = columns.type_of(column)
    if pa.types.is_nested(type_):
        raise ColumnError(
            f"{column} is {kind_of(type_)}, whose values are not counted.", hint="Only plain values are."
        )
    return columns.values(column).drop_nulls()


def _measure(
    name: str, arguments: ColumnBoundsArguments, columns: Columns, value: pl.Expr, bounds: Bounds
) -> Measure:
    column = arguments.column
    return Measure(f"{name}({column})", column, {"value": value}, bounds.judge_of(column, columns))


def _count(name: str, arguments: ColumnBoundsArguments, value: pl.Expr, bounds: Bounds) -> Measure:
    return Measure(f"{name}({arguments.column})", arguments.column, {"value": value}, bounds.judge)


MOMENT_KINDS = (
    Kind("expect_column_min_to_be_between", ColumnBoundsArguments, _extreme("min", pl.Expr.min)),
    Kind("expect_column_max_to_be_between", ColumnBoundsArguments, _extreme("max", pl.Expr.max)),
    Kind("expect_column_mean_to_be_between", ColumnBoundsArguments, _mean),
    Kind("expect_column_median_to_be_between", ColumnBoundsArguments, _median),
    Kind("expect_column_stdev_to_be_between", ColumnBoundsArguments, _deviation),
    Kind("expect_column_sum_to_be_between", ColumnBoundsArguments, _sum),
    Kind("expect_column_unique_value_count_to_be_between", ColumnBoundsArguments, _unique_count),
    Kind("expect_column_proportion_of_unique_values_to_be_between", ColumnBoundsArguments, _unique_share),
    Kind("expect_column_proportion_of_non_null_values_to_be_between", ColumnBoundsArguments, _present_share),
)
