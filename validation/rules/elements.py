"""Rules on the elements of vectors: each within its own bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from validation.columns import Columns
from validation.rules.rule import ColumnArguments, Kind, Mask, Rule, RuleArguments
from validation.rules.vectors import (
    Held,
    Numbers,
    Vector,
    bounds,
    check_order,
    field_of,
    held_expression,
    judge_blocks,
    read,
    rows_of,
    vector_of,
)


class BoundArguments(RuleArguments):
    """Hold bounds: one for all elements, or one for each, null where it is open."""

    field: str | None = None  # of a column of structs, such as `camera` or `arm.angles`
    min_value: float | None = None
    max_value: float | None = None
    min_values: list[float | None] | None = None
    max_values: list[float | None] | None = None

    def bounds(self, vector: Vector) -> tuple[Numbers | None, Numbers | None]:
        """Return the least and the greatest; raise SuiteError where no vector could be within."""
        low = bounds("min_value", self.min_value, self.min_values, vector)
        high = bounds("max_value", self.max_value, self.max_values, vector)
        check_order(low, high)
        return low, high


class ElementArguments(BoundArguments, ColumnArguments):
    """Hold the kwargs of column_elements_to_be_between."""


class Bounds:
    """Judge the elements of vectors by bounds, in the vectors' own dtype, as the spec's bounds are."""

    def __init__(self, low: Numbers | None, high: Numbers | None) -> None:
        self._low, self._high = low, high
        self.size = max((len(bound) for bound in (low, high) if bound is not None), default=1)

    def outside(self, numbers: Numbers) -> Numbers:
        """Say which numbers lie outside; NaN never does. Bounds for each element need a matrix."""
        wrong = np.zeros(numbers.shape, np.bool_)
        if self._low is not None:
            wrong |= numbers < _like(self._low, numbers)
        if self._high is not None:
            wrong |= numbers > _like(self._high, numbers)
        return wrong

    def rows_within(self, held: Held) -> Numbers:
        """Say which rows have no element outside. One of another length than the bounds is not within."""
        within = np.ones(len(held.valid), np.bool_)
        if self.size == 1:
            wrong = self.outside(held.numbers)
            if wrong.any():
                within[rows_of(np.flatnonzero(wrong), held.offsets)] = False
            return within
        whole, matrix = held.whole(self.size)
        wrong = self.outside(matrix).ravel()
        if wrong.any():
            within[np.flatnonzero(whole)[np.flatnonzero(wrong) // self.size]] = False
        within[held.valid & ~whole] = False
        return within

    def told(self, place: int) -> str:
        """Write the bounds of an element."""
        low, high = (self._at(bound, place) for bound in (self._low, self._high))
        if low is None or high is None:
            return f"below {high if low is None else low}" if high is None else f"above {high}"
        return f"outside {low} to {high}"

    def __str__(self) -> str:
        return f"{_listed(self._low)}, {_listed(self._high)}"

    @staticmethod
    def _at(bound: Numbers | None, place: int) -> float | None:
        if bound is None:
            return None
        value = float(bound[place if len(bound) > 1 else 0])
        return None if np.isnan(value) else value


def first_outside(judged: Bounds, numbers: Numbers) -> int | None:
    """Return the first element that lies outside."""
    found = np.flatnonzero(judged.outside(numbers))
    return int(found[0]) if len(found) else None


def _elements(arguments: ElementArguments, columns: Columns) -> Rule:
    vector = vector_of(arguments.column, arguments.field, columns)
    judged = Bounds(*arguments.bounds(vector))

    def judge(rows: pa.Table) -> Any:
        return judge_blocks(judged.rows_within, field_of(rows, vector))

    def says(rows: pa.Table) -> list[str]:
        return [
            _said(vector, judged, read(pa.array([value], value.type))) for value in field_of(rows, vector)
        ]

    mask = Mask(f"elements({vector.name}, {judged})", judge)
    expression = pl.when(held_expression(vector).is_not_null()).then(mask.expression)
    return Rule(f"elements({vector.name})", vector.column, expression, (vector.column,), says, (mask,))


def _said(vector: Vector, judged: Bounds, held: Held) -> str:
    length = len(held.numbers)
    if judged.size not in (1, length):
        return f"{vector.name} has {length} value{'s' if length != 1 else ''}, not {judged.size}"
    place = first_outside(judged, held.numbers)
    if place is None:
        return f"{vector.name} is outside its bounds"
    return f"{vector.name}[{place}] is {held.numbers[place]!s}, {judged.told(place)}"


def _like(bound: Numbers, numbers: Numbers) -> Numbers:
    return bound.astype(numbers.dtype) if numbers.dtype.kind == "f" else bound


def _listed(bound: Numbers | None) -> str:
    return "open" if bound is None else str(bound.tolist())


ELEMENT_KINDS = (Kind("expect_column_elements_to_be_between", ElementArguments, _elements),)
