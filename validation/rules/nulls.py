"""Rules on nulls: NaN in a plain column of floats is one, as it is for Great Expectations."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from validation.columns import Columns
from validation.rules.rule import ColumnArguments, Kind, Mask, Rule
from validation.rules.values import present, saying


def _not_null(arguments: ColumnArguments, columns: Columns) -> Rule:
    column = arguments.column
    there, masks = _presence(column, columns)

    def says(rows: pa.Table) -> list[str]:
        return [f"{column} is null"] * len(rows)

    return Rule(f"not_null({column})", column, there, (column,), says, masks, counts_missing=False)


def _null(arguments: ColumnArguments, columns: Columns) -> Rule:
    column = arguments.column
    there, masks = _presence(column, columns)
    says = saying(column, "not null")
    return Rule(f"null({column})", column, ~there, (column,), says, masks, counts_missing=False)


def _presence(column: str, columns: Columns) -> tuple[pl.Expr, tuple[Mask, ...]]:
    """Ask who has a value: a gate of its Arrow rows, so that no column is converted for it."""
    if columns.strict:
        mask = present(column, columns)
        return mask.expression, (mask,)
    return columns.values(column).is_not_null(), ()


NULL_KINDS = (
    Kind("expect_column_values_to_not_be_null", ColumnArguments, _not_null),
    Kind("expect_column_values_to_be_null", ColumnArguments, _null),
)
