"""Measures on the set of a column's values: which there are, and which is the most common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.errors import SuiteError
from validation.columns import ColumnError, Columns
from validation.json_values import column_of, kind_of
from validation.rules.rule import Arguments, Kind, Measure, Observed
from validation.wording import show

_SHOWN = 20  # values that are missing or not expected, of any number


class DistinctArguments(Arguments):
    """Hold the kwargs of an expectation on the set of a column's values."""

    column: str
    value_set: list[Any]


class CommonArguments(DistinctArguments):
    """Hold the kwargs of most_common_value_to_be_in_set."""

    ties_okay: bool | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """Hold a column's values as an expression, and what a suite gives as values of the column's type."""

    expression: pl.Expr  # without nulls
    type: pa.DataType

    @classmethod
    def of(cls, column: str, columns: Columns) -> Values:
        """Refer to a column; raise ColumnError where its values are no plain ones."""
        type_ = columns.type_of(column)
        if pa.types.is_nested(type_) or pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
            raise ColumnError(
                f"{column} is {kind_of(type_)}, which has no set.", hint="Only plain columns have one."
            )
        values = columns.values(column)
        if pa.types.is_null(type_) or pa.types.is_decimal(type_):
            values, type_ = values.cast(pl.Float64), pa.float64()
        return cls(values.drop_nulls(), type_)

    def match(self, given: list[Any]) -> dict[Any, pl.Series]:
        """Return each given value once, as a series of the column's type: empty where it fits none."""
        try:
            return {value: column_of([value], self.type) for value in given}
        except TypeError as exc:
            raise SuiteError("A value of the set is a list or a mapping.", hint="Give plain values.") from exc

    def wanted(self, given: list[Any]) -> pl.Series:
        """Return the given values that the column could have."""
        held = pl.Series(pa.array([], self.type))
        return held.extend(column_of(list(self.match(given)), self.type))


def _in_set(arguments: DistinctArguments, columns: Columns) -> Measure:
    _refuse_nothing(arguments)
    values = Values.of(arguments.column, columns)
    return _measure("distinct_in_set", arguments, _unexpected(values, arguments.value_set), _judge_unexpected)


def _contain_set(arguments: DistinctArguments, columns: Columns) -> Measure:
    values = Values.of(arguments.column, columns)
    expressions, judge = _missing(values, arguments.value_set)
    return _measure("distinct_contain_set", arguments, expressions, judge)


def _equal_set(arguments: DistinctArguments, columns: Columns) -> Measure:
    values = Values.of(arguments.column, columns)
    missing, judge_missing = _missing(values, arguments.value_set)

    def judge(found: Mapping[str, Any]) -> Observed:
        unexpected, lacking = _judge_unexpected(found), judge_missing(found)
        beside = {**unexpected.beside, **lacking.beside}
        return Observed(unexpected.success and lacking.success, beside=beside)

    expressions = {**_unexpected(values, arguments.value_set), **missing}
    return _measure("distinct_equal_set", arguments, expressions, judge)


def _most_common(arguments: CommonArguments, columns: Columns) -> Measure:
    values = Values.of(arguments.column, columns)
    wanted = values.wanted(arguments.value_set)
    modes = values.expression.mode()
    expressions = {"common": modes.sort().implode(), "known": modes.is_in(wanted.implode()).sum()}

    def judge(found: Mapping[str, Any]) -> Observed:
        common, known = list(found["common"]), found["known"]
        success = known > 0 if arguments.ties_okay else len(common) == 1 and known == 1
        return Observed(success, common)

    return _measure("most_common", arguments, expressions, judge)


def _unexpected(values: Values, given: list[Any]) -> dict[str, pl.Expr]:
    present = values.expression.unique()
    others = present.filter(~present.is_in(values.wanted(given).implode()))
    return {"unexpected_count": others.len(), "unexpected": others.sort().head(_SHOWN).implode()}


def _judge_unexpected(found: Mapping[str, Any]) -> Observed:
    count = found["unexpected_count"]
    beside = {"unexpected_count": count, "partial_unexpected_list": list(found["unexpected"])}
    return Observed(count == 0, beside=beside)


def _missing(
    values: Values, given: list[Any]
) -> tuple[dict[str, pl.Expr], Callable[[Mapping[str, Any]], Observed]]:
    matched = values.match(given)
    possible = [value for value, held in matched.items() if len(held)]
    present = pl.lit(values.wanted(possible)).is_in(values.expression.unique().implode()).implode()

    def judge(found: Mapping[str, Any]) -> Observed:
        there = {value for value, is_there in zip(possible, found["present"], strict=True) if is_there}
        missing = [value for value in matched if value not in there]
        beside = {"missing_count": len(missing), "partial_missing_list": missing[:_SHOWN]}
        return Observed(not missing, beside=beside)

    return {"present": present}, judge


def _refuse_nothing(arguments: DistinctArguments) -> None:
    if not arguments.value_set:
        raise SuiteError(
            f"value_set {show(arguments.value_set)} is empty, and every value would be unexpected.",
            hint="Give at least one value.",
        )


def _measure(
    name: str,
    arguments: DistinctArguments,
    expressions: Mapping[str, pl.Expr],
    judge: Callable[[Mapping[str, Any]], Observed],
) -> Measure:
    return Measure(f"{name}({arguments.column})", arguments.column, expressions, judge)


DISTINCT_KINDS = (
    Kind("expect_column_distinct_values_to_be_in_set", DistinctArguments, _in_set),
    Kind("expect_column_distinct_values_to_contain_set", DistinctArguments, _contain_set),
    Kind("expect_column_distinct_values_to_equal_set", DistinctArguments, _equal_set),
    Kind("expect_column_most_common_value_to_be_in_set", CommonArguments, _most_common),
)
