"""Single values: constants, fields and expressions, by a table of values or as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from ingest.mapping.batches import Batch
from ingest.mapping.casts import Cast, cast, cast_constant, wanted
from ingest.mapping.made import Made, nowhere
from ingest.mapping.readers import Reader
from ingest.mapping.tables import category_keys, category_texts, places_of, slots_of
from ingest.mapping.targets import Single
from ingest.mapping.times import Clock
from ingest.mapping.values import Values
from schemas.shown import shown

NO_DEFAULT: Any = object()


class Lookup:
    """Turn values into others by a table; those that are not in it become `other`, or are bad."""

    def __init__(self, table: Mapping[Any, Any], other: Any, target: Single, clock: Clock) -> None:
        self._keys = category_keys(table)
        values = [*table.values(), *([] if other is NO_DEFAULT else [other])]
        held = [cast_constant(value, target, clock) for value in values]
        self._values = pl.Series(held, dtype=target.held)
        self._other = None if other is NO_DEFAULT else len(table)
        self.wanted = f"one of {shown(list(table))}"

    def apply(self, values: Values) -> Cast:
        """Return what the table has for each value."""
        texts, bad = category_texts(values)
        if "" not in self._keys:
            texts = texts.set(texts.str.len_bytes() == 0, None)
        places = places_of(texts, self._keys)
        unknown = (places < 0) & texts.is_not_null().to_numpy()
        if self._other is not None:
            places = np.where(unknown, self._other, places)
            unknown = nowhere(len(texts))
        found = self._values.gather(pl.Series(places).set(pl.Series(places < 0), None))
        return Cast(found, bad | unknown)


@dataclass(frozen=True, slots=True, eq=False)
class ScalarMaker:
    """Read a value, and bring it to the target."""

    reader: Reader
    target: Single
    clock: Clock
    default: Any = NO_DEFAULT
    lookup: Lookup | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return self.reader.fields

    def make(self, batch: Batch) -> Made:
        """Return the column."""
        series, made = self.series(batch)
        return Made(to_arrow(series, self.target), made.bad, made.missing, made.why)

    def series(self, batch: Batch) -> tuple[pl.Series, Made]:
        """Return the column as a series, and what is wrong in it; its array is not made."""
        values = self.reader.read(batch)
        done = self.convert(values)
        series = done.values
        missing = series.is_null().to_numpy() & ~done.bad if series.null_count() else nowhere(len(batch))
        if self.default is not NO_DEFAULT and self.default is not None and missing.any():
            series = series.set(pl.Series(missing), self.default)
            missing = nowhere(len(batch))

        def why(row: int) -> str:
            return self.problem(values, row)

        return series, Made(pa.nulls(0), done.bad, missing, why)

    def convert(self, values: Values) -> Cast:
        """Bring values to the target, by the table where there is one."""
        return self.lookup.apply(values) if self.lookup else cast(values, self.target, self.clock)

    def problem(self, values: Values, row: int) -> str:
        """Say what is wrong with the value of a row."""
        expected = self.lookup.wanted if self.lookup else wanted(self.target, self.clock)
        said = f"{self.reader.name} is {shown(values.at(row))}, and {expected} is expected"
        return values.why_failed(row) or said


@dataclass(frozen=True, slots=True, eq=False)
class ConstantMaker:
    """Give every record the same value."""

    value: Any
    target: Single
    fields: tuple[str, ...] = ()

    def make(self, batch: Batch) -> Made:
        """Return the column."""
        array = to_arrow(self.series(batch)[0], self.target)
        missing = np.full(len(batch), self.value is None)
        return Made(array, nowhere(len(batch)), missing, lambda row: "")

    def series(self, batch: Batch) -> tuple[pl.Series, Made]:
        """Return the column as a series."""
        series = pl.Series([self.value], dtype=self.target.held).new_from_index(0, len(batch))
        return series, Made(pa.nulls(0), nowhere(len(batch)), nowhere(len(batch)), lambda row: "")


@dataclass(frozen=True, slots=True, eq=False)
class SlotMaker:
    """Give the number of the slot that a category is hashed to."""

    reader: Reader
    slots: int
    target: Single
    default: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return self.reader.fields

    def make(self, batch: Batch) -> Made:
        """Return the column."""
        values = self.reader.read(batch)
        slots, bad = hashed(values, self.slots, self.default)
        missing = (slots < 0) & ~bad
        array = to_arrow(pl.Series(slots).set(pl.Series(slots < 0), None), self.target)
        return Made(array, bad, missing, lambda row: not_a_category(self.reader, values, row))


def hashed(
    values: Values, slots: int, default: str | None
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], Any]:
    """Return the slot of each value, -1 where there is none, and which values are no category."""
    texts, bad = category_texts(values)
    texts = texts.set(texts.str.len_bytes() == 0, None)
    if default is not None:
        texts = texts.set(texts.is_null() & ~pl.Series(bad), default)
    return slots_of(texts, slots), bad


def not_a_category(reader: Reader, values: Values, row: int) -> str:
    """Say why a value is no category."""
    said = f"{reader.name} is {shown(values.at(row))}, and a text or a whole number is expected"
    return values.why_failed(row) or said


def to_arrow(series: pl.Series, target: Single) -> pa.Array:
    """Return a series as the target's own type."""
    array = series.to_arrow()
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array if array.type == target.type else array.cast(target.type)
