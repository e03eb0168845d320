"""Numbers of a whole column: as pandas computes them, so that a bound is met here where it is met there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from validation.columns import ColumnError, Columns, is_number
from validation.json_values import kind_of

_Statistic = Callable[[pl.Series], Sequence[float]]


def numbers(column: str, columns: Columns, wanted: str) -> pl.Expr:
    """Refer to a column's values as numbers: True is 1, and a column of nothing but nulls has none.

    Raise ColumnError, saying what was wanted of them, where they are no numbers.
    """
    type_ = columns.type_of(column)
    if is_number(type_):
        return columns.values(column)
    if pa.types.is_boolean(type_):
        return pl.col(column).cast(pl.Int64)
    if pa.types.is_null(type_) or pa.types.is_decimal(type_):
        return pl.col(column).cast(pl.Float64)
    raise ColumnError(
        f"{column} is {kind_of(type_)}, which has no {wanted}.", hint="Only numbers and booleans have one."
    )


def statistic(values: pl.Expr, compute: _Statistic) -> pl.Expr:
    """Compute a few numbers of a whole column in Python, as one list."""

    def computed(series: pl.Series) -> pl.Series:
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            held = [float(number) for number in compute(series)]
        return pl.Series([held], dtype=pl.List(pl.Float64))

    return values.map_batches(computed, return_dtype=pl.List(pl.Float64), returns_scalar=True)


def mean_and_deviation(series: pl.Series) -> tuple[float, float]:
    """Return the mean and the standard deviation of a sample; NaN where there are too few values."""
    count = len(series) - series.null_count()
    if not count:
        return math.nan, math.nan
    present = series.is_not_null().to_numpy()
    values = as_floats(series.fill_null(0))  # as pandas adds: nulls are zeros in their places
    mean = float(values.sum() / count)
    if count == 1:
        return mean, math.nan
    squares = np.where(present, (mean - values) ** 2, 0.0)
    return mean, math.sqrt(squares.sum() / (count - 1))


def total(series: pl.Series) -> float:
    """Return the sum; 0 where there are no values."""
    return float(as_floats(series.fill_null(0)).sum())


def quantiles(series: pl.Series, wanted: Sequence[float], method: str) -> Sequence[float]:
    """Return the quantiles by one of NumPy's methods; NaN where there are no values."""
    values = as_floats(series.drop_nulls())
    if not len(values):
        return [math.nan] * len(wanted)
    percents = np.asarray(wanted, np.float64) * 100.0
    found: Any = np.percentile(values, percents, method=method)  # type: ignore[call-overload]
    return [float(one) for one in found]


def as_floats(series: pl.Series) -> NDArray[np.float64]:
    """Return the numbers of a series without nulls."""
    return series.cast(pl.Float64).to_numpy()


def is_single(column: str, columns: Columns) -> bool:
    """Say whether a column has floats of 32 bits: a bound of 0.1 is then the nearest of those."""
    return bool(pa.types.is_float32(columns.type_of(column)))


def none_for_nan(value: Any) -> Any:
    """Return None for NaN: JSON has none."""
    return None if isinstance(value, float) and math.isnan(value) else value
