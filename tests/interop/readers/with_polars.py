"""Read the tables with Polars, by its own reader of Delta tables."""

from __future__ import annotations

from typing import Any

import polars as pl

from tests.interop.readers.agreement import Condition, Table, main


def read(table: Table, options: dict[str, str], condition: Condition | None) -> list[dict[str, Any]]:
    """Return the rows, those that meet the condition where there is one."""
    frame = pl.scan_delta(table["uri"], storage_options=options or None)
    if condition is not None:
        frame = frame.filter(_meets(*condition))
    return frame.select(table["columns"]).collect().to_dicts()


def _meets(column: str, sign: str, value: Any) -> pl.Expr:
    held = pl.col(column)
    if sign == "is":
        return held.is_null()
    return held.eq(value) if sign == "=" else held.ge(value)


def _without_hives_null(table: Table, column: str, value: Any) -> Any:
    """Return what Polars has for a partition whose value is a text that reads like Hive's name for null."""
    return None if column in table["partition_by"] and value == "__HIVE_DEFAULT_PARTITION__" else value


if __name__ == "__main__":
    main("Polars", pl.__version__, read, _without_hives_null)
