"""Tables of others: Arrow, Polars or pandas in, one Arrow table with plain types out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.errors import UsageError


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Hold a table that came in: its rows, how they are numbered, and which columns have no one type."""

    rows: pa.Table
    labels: Any = None  # a pandas index that is more than a row's number
    unreadable: Mapping[str, str] = None  # type: ignore[assignment]

    def label(self, positions: Any) -> list[Any]:
        """Return what the rows at these positions are called: their number, or their label in pandas."""
        if self.labels is None:
            return [int(position) for position in positions]
        return [_plain(label) for label in self.labels[positions]]


def read_table(given: Any) -> Table:
    """Read a table; raise UsageError for what is none. A column of mixed types is kept out, and told."""
    if isinstance(given, pa.RecordBatch):
        given = pa.Table.from_batches([given])
    if isinstance(given, pa.Table):
        return Table(_with_plain_types(given), None, {})
    if isinstance(given, pl.LazyFrame):
        given = given.collect()
    if isinstance(given, pl.DataFrame):
        return Table(_with_plain_types(given.to_arrow()), None, {})
    if type(given).__module__.split(".")[0] == "pandas" and hasattr(given, "columns"):
        return _from_pandas(given)
    raise UsageError(
        f"A {type(given).__name__} is not a table.", hint="Give an Arrow, Polars or pandas table."
    )


def _from_pandas(frame: Any) -> Table:
    columns: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    for position, name in enumerate(frame.columns):
        try:
            columns[str(name)] = pa.array(frame.iloc[:, position], from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            held = sorted({type(value).__name__ for value in frame.iloc[:, position].dropna()})
            unreadable[str(name)] = f"it holds {', '.join(held)}"
    index = frame.index
    numbered = index.equals(type(index)(range(len(index)))) if len(index) else True
    rows = pa.table(columns) if columns else pa.table({"": pa.nulls(len(frame))}).select([])
    return Table(_with_plain_types(rows), None if numbered else index, unreadable)


def _with_plain_types(rows: pa.Table) -> pa.Table:
    """Decode dictionaries and views: what a rule sees of a column is its values."""
    for index, field in enumerate(rows.schema):
        plain = _plain_type(field.type)
        if plain != field.type:
            rows = rows.set_column(index, field.with_type(plain), rows.column(index).cast(plain))
    return rows


def _plain_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(type_):
        return _plain_type(type_.value_type)
    if pa.types.is_string_view(type_):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(type_) else type_


def _plain(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label
