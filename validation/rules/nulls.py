"""Rules on nulls: NaN in a plain column of floats is one, as it is for Great Expectations."""

from __future__ import annotations

import pyarrow as pa

from validation.columns import Columns
from validation.rules.rule import ColumnArguments, Kind, Rule
from validation.rules.values import present, saying


def _not_null(arguments: ColumnArguments, columns: Columns) -> Rule:
    column = arguments.column
    mask = present(column, columns)

    def says(rows: pa.Table) -> list[str]:
        return [f"{column} is null"] * len(rows)

    return Rule(
        f"not_null({column})", column, mask.expression, (column,), says, (mask,), counts_missing=False
    )


def _null(arguments: ColumnArguments, columns: Columns) -> Rule:
    column = arguments.column
    mask = present(column, columns)
    says = saying(column, "not null")
    return Rule(f"null({column})", column, ~mask.expression, (column,), says, (mask,), counts_missing=False)


NULL_KINDS = (
    Kind("expect_column_values_to_not_be_null", ColumnArguments, _not_null),
    Kind("expect_column_values_to_be_null", ColumnArguments, _null),
)
