"""Rules on how far a column's values lie from the others: z-scores, Tukey's fences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from validation.columns import Columns
from validation.rules.numbers import mean_and_deviation, numbers, quantiles
from validation.rules.rule import ColumnArguments, Kind, Rule
from validation.rules.values import saying

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Judge = Callable[[pl.Series], pl.Series]


class ScoreArguments(ColumnArguments):
    """Hold the kwargs of value_z_scores_to_be_less_than."""

    threshold: _Finite
    double_sided: bool


class OutlierArguments(ColumnArguments):
    """Hold the kwargs of not_be_outliers."""

    method: Literal["iqr", "std"] = "iqr"
    multiplier: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.5


def _scores(arguments: ScoreArguments, columns: Columns) -> Rule:
    column, threshold = arguments.column, arguments.threshold
    timed = pa.types.is_timestamp(columns.type_of(column))
    values = pl.col(column).to_physical() if timed else numbers(column, columns, "z-scores")

    def judge(series: pl.Series) -> pl.Series:
        mean, deviation = mean_and_deviation(series)
        if not deviation > 0:
            return _all_present(series)
        scores = (series.cast(pl.Float64) - mean) / deviation
        under = scores.abs() < abs(threshold) if arguments.double_sided else scores < threshold
        return under | scores.is_nan()

    wrong = f"whose z-score is not below {threshold:g}"
    return _rule("z_score", column, values, judge, wrong)


def _not_outliers(arguments: OutlierArguments, columns: Columns) -> Rule:
    column = arguments.column
    values = numbers(column, columns, "outliers")
    judge = _fences(arguments.multiplier) if arguments.method == "iqr" else _around(arguments.multiplier)
    return _rule("not_outlier", column, values, judge, f"an outlier ({arguments.method})")


def _fences(multiplier: float) -> _Judge:
    def judge(series: pl.Series) -> pl.Series:
        first, third = quantiles(series, (0.25, 0.75), "linear")
        if not (math.isfinite(first) and math.isfinite(third)):
            return _all_present(series)
        reach = multiplier * (third - first)
        values = series.cast(pl.Float64)
        return (values >= first - reach) & (values <= third + reach)

    return judge


def _around(multiplier: float) -> _Judge:
    def judge(series: pl.Series) -> pl.Series:
        mean, deviation = mean_and_deviation(series.drop_nulls())
        if not (math.isfinite(mean) and math.isfinite(deviation)):
            return _all_present(series)
        reach = multiplier * deviation
        values = series.cast(pl.Float64)
        return values == mean if reach <= 0 else (values - mean).abs() < reach

    return judge


def _all_present(series: pl.Series) -> pl.Series:
    """Find no fault, where there is nothing to measure by."""
    return series == series


def _rule(name: str, column: str, values: pl.Expr, judge: _Judge, wrong: str) -> Rule:
    def judged(series: pl.Series) -> pl.Series:
        with np.errstate(invalid="ignore", over="ignore"):
            return judge(series)

    expression = values.map_batches(judged, return_dtype=pl.Boolean)
    return Rule(f"{name}({column})", column, expression, (column,), saying(column, wrong), per_row=False)


OUTLIER_KINDS = (
    Kind("expect_column_value_z_scores_to_be_less_than", ScoreArguments, _scores),
    Kind("expect_column_values_to_not_be_outliers", OutlierArguments, _not_outliers),
)
