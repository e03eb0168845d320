"""A measure that puts quantiles of a column between bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from schemas.errors import SuiteError
from validation.columns import Columns
from validation.rules.numbers import none_for_nan, numbers, quantiles, statistic
from validation.rules.rule import Arguments, Kind, Measure, Observed

_Range = Annotated[list[float | None], Field(min_length=2, max_length=2)]
_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")  # of the library on pandas
_RELATIVE, _ABSOLUTE = 1e-4, 1e-8  # how near to a bound is as good as within it, as the library has it


class QuantileRanges(Arguments):
    """Hold quantiles, and for each what it must lie between; None is no bound."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    quantiles: list[Annotated[float, Field(ge=0, le=1)]]
    value_ranges: list[_Range]


class QuantileArguments(Arguments):
    """Hold the kwargs of quantile_values_to_be_between."""

    column: str
    quantile_ranges: QuantileRanges
    allow_relative_error: bool | str = False  # the name of a method; False is "nearest"


def _quantiles(arguments: QuantileArguments, columns: Columns) -> Measure:
    column, asked = arguments.column, arguments.quantile_ranges
    wanted, ranges = asked.quantiles, asked.value_ranges
    if len(wanted) != len(ranges):
        raise SuiteError(
            f"quantile_ranges has {len(wanted)} quantiles and {len(ranges)} value_ranges.",
            hint="Give one range, [low, high], for each quantile.",
        )
    for low, high in ranges:
        if low is not None and high is not None and low > high:
            raise SuiteError(f"The range [{low:g}, {high:g}] ends before it begins.", hint="Swap its ends.")
    method = arguments.allow_relative_error or "nearest"
    if method not in _METHODS:
        raise SuiteError(
            f"allow_relative_error {method!r} is no way to find a quantile.",
            hint=f"There are: {', '.join(_METHODS)}.",
        )
    values = statistic(
        numbers(column, columns, "quantiles"), lambda series: quantiles(series, wanted, str(method))
    )

    def judge(found: Mapping[str, Any]) -> Observed:
        observed = found["values"]
        within = [_is_within(value, limits) for value, limits in zip(observed, ranges, strict=True)]
        value = {"quantiles": wanted, "values": [none_for_nan(one) for one in observed]}
        return Observed(all(within), value, {"success_details": within})

    return Measure(f"quantiles({column})", column, {"values": values}, judge)


def _is_within(value: float, limits: Sequence[float | None]) -> bool:
    low = -math.inf if limits[0] is None else limits[0]
    high = math.inf if limits[1] is None else limits[1]
    return _is_near(value, low) or _is_near(value, high) or low <= value <= high


def _is_near(value: float, bound: float) -> bool:
    if math.isinf(value) or math.isinf(bound):
        return value == bound
    return abs(value - bound) <= _ABSOLUTE + _RELATIVE * abs(bound)


QUANTILE_KINDS = (Kind("expect_column_quantile_values_to_be_between", QuantileArguments, _quantiles),)
