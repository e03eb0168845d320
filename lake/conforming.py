"""Rows have to have a table's columns to land: Delta takes any file, and no reader could read it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa

from schemas.errors import StorageError


def conformed(rows: pa.Table, wanted: pa.Schema, needed: Collection[str], table: str) -> pa.Table:
    """Return rows with a table's columns, in its order; those that are not needed may be lacking.

    Raise StorageError for rows of other columns.
    """
    lacking = [name for name in wanted.names if name not in rows.column_names]
    if not set(lacking) & set(needed):
        for name in lacking:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, wanted.field(name).type))
        if sorted(rows.column_names) == sorted(wanted.names):
            rows = rows.select(wanted.names)
            if alike(rows.schema, wanted):
                return rows
    raise StorageError(
        f"The columns {rows.schema.names} are not those of the table {table}: {wanted.names}.",
        hint="Land rows with the columns and types of the archive's spec.",
    )


def alike(schema: pa.Schema, other: pa.Schema | Sequence[pa.Field]) -> bool:
    """Say whether columns have the same names and types; whether they may be null is one for all."""
    fields = list(other)
    return schema.names == [field.name for field in fields] and all(
        map(pa.DataType.equals, schema.types, [field.type for field in fields])
    )
