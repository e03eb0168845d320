"""Tables of others: Arrow, Polars or pandas in, a Polars frame with plain types out, and Arrow on request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.errors import UsageError
from validation.results import json_value


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Hold a table that came in: its rows, how they are numbered, and which columns have no one type."""

    frame: pl.DataFrame
    labels: Any = None  # a pandas index that is more than a row's number
    index_names: tuple[str, ...] = ()  # of that index, where it has names
    unreadable: Mapping[str, str] = field(default_factory=dict)
    objects: frozenset[str] = frozenset()  # columns that were Python objects
    is_pandas: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The columns' types."""
        return _with_plain_types(self.frame.head(0).to_arrow()).schema

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
        _check_names(given.column_names)
        return Table(_frame(given))
    if isinstance(given, pl.LazyFrame):
        given = given.collect()
    if isinstance(given, pl.DataFrame):
        coded = [name for name, kind in given.schema.items() if kind in (pl.Categorical, pl.Enum)]
        return Table(given.with_columns(pl.col(coded).cast(pl.String)) if coded else given)
    if type(given).__module__.split(".")[0] == "pandas" and hasattr(given, "columns"):
        return _from_pandas(given)
    raise UsageError(
        f"A {type(given).__name__} is not a table.", hint="Give an Arrow, Polars or pandas table."
    )


def _from_pandas(frame: Any) -> Table:
    columns: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    _check_names([str(name) for name in frame.columns])
    for name, values in frame.items():
        try:
            columns[str(name)] = _column(values)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            held = sorted({type(value).__name__ for value in values.dropna()})
            unreadable[str(name)] = f"it holds {', '.join(held)}"
    rows = pa.table(columns) if columns else pa.table({"": pa.nulls(len(frame))}).select([])
    names = tuple(str(name) for name in frame.index.names) if frame.index.names[0] is not None else ()
    return Table(
        _frame(rows),
        None if _is_numbered(frame.index) else frame.index,
        names,
        unreadable,
        frozenset(str(name) for name in frame.columns if frame[name].dtype == object),
        is_pandas=True,
    )


def _column(values: Any) -> pa.Array:
    zone = getattr(values.dtype, "tz", None)
    if zone is None:
        return pa.array(values, from_pandas=True)
    # By way of UTC: Arrow asks pandas for times with a zone in a way that pandas warns of.
    plain = pa.array(values.dt.tz_convert(None), from_pandas=True)
    return plain.cast(pa.timestamp(plain.type.unit, str(zone)))


def _is_numbered(index: Any) -> bool:
    """Whether a pandas index has no name, and says of each row how many are before it."""
    if index.nlevels > 1 or index.name is not None or index.dtype.kind not in "iu":
        return not len(index) and index.names[0] is None
    return bool((index.to_numpy() == np.arange(len(index))).all())


def _check_names(names: Sequence[str]) -> None:
    doubled = next((name for name, count in Counter(names).items() if count > 1), None)
    if doubled is not None:
        raise UsageError(f"The table has two columns {doubled!r}.", hint="Rename one.")


def read_rows(given: Any) -> pa.Table:
    """Read a table as Arrow rows with plain types; raise as `read_table` does."""
    return _with_plain_types(given) if isinstance(given, pa.Table) else arrow_rows(read_table(given).frame)


def arrow_rows(frame: pl.DataFrame) -> pa.Table:
    """Return rows of a table as Arrow, with the types of its schema."""
    return _with_plain_types(frame.to_arrow())


def _frame(rows: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(_with_plain_types(rows))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 (it is a Series only for an array)
    return frame


def _with_plain_types(rows: pa.Table) -> pa.Table:
    """Decode dictionaries and views: what a rule sees of a column is its values."""
    for index, held in enumerate(rows.schema):
        plain = _plain_type(held.type)
        if plain != held.type:
            rows = rows.set_column(index, held.with_type(plain), rows.column(index).cast(plain))
    return rows


def _plain_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(type_):
        return _plain_type(type_.value_type)
    if pa.types.is_string_view(type_):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(type_) else type_


def _plain(label: Any) -> Any:
    if isinstance(label, tuple):
        return [_plain(part) for part in label]
    return json_value(label.item() if hasattr(label, "item") else label)
