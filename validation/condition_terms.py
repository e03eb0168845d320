"""Terms of row conditions, and how they are compared: as pandas does, with two truth values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.errors import SuiteError
from validation.columns import ColumnError, Columns, is_number, is_text, is_time
from validation.json_values import NeverEqualError, column_of, comparable, kind_of
from validation.wording import show

_OPERATORS: Mapping[str, Callable[[Any, Any], pl.Expr]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Term:
    """Hold one side of a comparison: a constant, or an expression with the type of its values."""

    type: pa.DataType | None  # None for a constant
    expression: pl.Expr | None = None
    value: Any = None

    @classmethod
    def column(cls, name: str, columns: Columns) -> Term:
        """Refer to a column; raise ColumnError where there is none, or none with values to compare."""
        type_ = columns.type_of(name)
        values = columns.values(name)
        return cls(type_, values.cast(pl.Int8) if pa.types.is_boolean(type_) else values)

    @classmethod
    def constant(cls, value: Any) -> Term:
        """Hold a value of JSON."""
        return cls(None, None, value)

    @classmethod
    def computed(cls, expression: pl.Expr) -> Term:
        """Hold numbers that were computed."""
        return cls(pa.float64(), expression.fill_nan(None))

    @property
    def is_numeric(self) -> bool:
        """Whether it can be computed with."""
        if self.type is None:
            return isinstance(self.value, int | float)
        return is_number(self.type) or pa.types.is_boolean(self.type)

    def number(self) -> pl.Expr:
        """Return it to compute with."""
        return (pl.lit(self.value) if self.expression is None else self.expression).cast(pl.Float64)


def compare(name: str, left: Term, right: Term, columns: Columns) -> pl.Expr:
    """Compare; false where a value is missing, but for `!=`. What is of two kinds is unequal, or an error."""
    compared = _OPERATORS.get(name)
    if compared is None:
        raise SuiteError(f"there is no operator {name!r}.", hint=f"There are: {', '.join(_OPERATORS)}.")
    if left.expression is None:
        if right.expression is None:
            raise SuiteError("row_condition compares two constants.", hint="Name a column in it.")
        mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(name, name)
        return compare(mirrored, right, left, columns)
    try:
        other = _beside(left, right)
    except NeverEqualError:
        if name in ("==", "!="):
            return left.expression.is_null() | True if name == "!=" else left.expression.is_null() & False
        what = show(right.value) if right.type is None else kind_of(right.type)
        raise ColumnError(
            f"row_condition orders {kind_of(left.type)} and {what}.", hint="Compare like with like."
        ) from None
    return compared(left.expression, other).fill_null(name == "!=")


def holds_one_of(term: Term, values: Sequence[Any], columns: Columns) -> pl.Expr:
    """Say where a term is one of the values; a missing one never is."""
    if term.type is None or term.expression is None:
        raise SuiteError("row_condition looks for a constant in a list.", hint="Name a column in it.")
    type_ = pa.int8() if pa.types.is_boolean(term.type) else term.type
    wanted = [value for value in values if value is not None]
    if not (is_text(type_) or is_number(type_) or is_time(type_)):
        raise ColumnError(
            f"row_condition looks for {kind_of(type_)} in a list.", hint="Compare plain columns."
        )
    return term.expression.is_in(column_of(wanted, type_).implode()).fill_null(False)


def is_missing(term: Term, columns: Columns) -> pl.Expr:
    """Say where a term has no value."""
    if term.expression is None:
        raise SuiteError("row_condition asks whether a constant is null.", hint="Name a column.")
    return term.expression.is_null()


def truth(term: Term) -> pl.Expr:
    """Take a column of true and false as a condition."""
    if term.type is None or not pa.types.is_boolean(term.type):
        what = show(term.value) if term.type is None else kind_of(term.type)
        raise ColumnError(f"row_condition takes {what} for true or false.", hint="Compare it with something.")
    assert term.expression is not None  # noqa: S101 (a term with a type has one)
    return (term.expression == 1).fill_null(False)


def _beside(left: Term, right: Term) -> Any:
    assert left.type is not None  # noqa: S101
    if right.type is not None:
        alike = (
            (left.is_numeric and right.is_numeric)
            or (is_text(left.type) and is_text(right.type))
            or (is_time(left.type) and is_time(right.type))
        )
        if not alike:
            raise NeverEqualError
        return right.expression
    value = right.value
    if left.is_numeric and isinstance(value, int | float):
        return int(value) if isinstance(value, bool) else value
    if left.is_numeric or not (is_text(left.type) or is_time(left.type)):
        raise NeverEqualError
    return comparable(value, left.type)
