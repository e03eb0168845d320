"""Parts of a vector that are as wide as the mapping says: numbers, categories, keys of an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.mapping.batches import Batch, parsed
from ingest.mapping.made import Block, nowhere
from ingest.mapping.readers import Reader
from ingest.mapping.scalars import NO_DEFAULT, ConstantMaker, ScalarMaker, hashed, not_a_category
from ingest.mapping.tables import category_texts, places_of
from ingest.mapping.values import Kind, Mask, Values, of_objects, of_series
from schemas.shown import shown


def numbers_of(series: pl.Series) -> NDArray[Any]:
    """Return a series as an array; a null is 0."""
    filled = series.fill_null(False if series.dtype == pl.Boolean else 0) if series.null_count() else series
    return filled.to_numpy()


@dataclass(frozen=True, slots=True, eq=False)
class ScalarPart:
    """Give one number."""

    maker: ScalarMaker | ConstantMaker
    width: int = 1

    @property
    def name(self) -> str:
        """What is read, for people."""
        return self.maker.reader.name if isinstance(self.maker, ScalarMaker) else "a constant"

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return self.maker.fields

    def block(self, batch: Batch, width: int) -> Block:
        """Return the numbers, in one column."""
        series, made = self.maker.series(batch)
        return Block(numbers_of(series).reshape(-1, 1), made.bad, made.missing, made.why)


@dataclass(frozen=True, slots=True, eq=False)
class OneHotPart:
    """Give a 1 at the place of the category, and 0 elsewhere."""

    reader: Reader
    keys: Mapping[str, int]
    width: int
    other: int | None  # the place of a category that is not named, and of a missing one

    @property
    def name(self) -> str:
        """What is read, for people."""
        return self.reader.name

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return self.reader.fields

    def block(self, batch: Batch, width: int) -> Block:
        """Return the ones and zeros."""
        values = self.reader.read(batch)
        texts, bad = category_texts(values)
        if "" not in self.keys:
            texts = texts.set(texts.str.len_bytes() == 0, None)
        places = places_of(texts, self.keys)
        missing = texts.is_null().to_numpy() & ~bad
        if self.other is None:
            bad = bad | ((places < 0) & ~missing)
        else:
            places = np.where((places < 0) & ~bad, self.other, places)
            missing = nowhere(len(batch))

        def why(row: int) -> str:
            expected = f"one of {shown(list(self.keys))} is expected"
            return values.why_failed(row) or f"{self.reader.name} is {shown(values.at(row))}, and {expected}"

        return Block(ones_at(places, self.width), bad, missing, why)


@dataclass(frozen=True, slots=True, eq=False)
class HashPart:
    """Give a 1 at the slot that the category is hashed to, and 0 elsewhere."""

    reader: Reader
    width: int
    default: str | None

    @property
    def name(self) -> str:
        """What is read, for people."""
        return self.reader.name

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return self.reader.fields

    def block(self, batch: Batch, width: int) -> Block:
        """Return the ones and zeros."""
        values = self.reader.read(batch)
        slots, bad = hashed(values, self.width, self.default)
        missing = (slots < 0) & ~bad
        return Block(
            ones_at(slots, self.width), bad, missing, lambda row: not_a_category(self.reader, values, row)
        )


def ones_at(places: NDArray[np.int64], width: int) -> NDArray[np.int8]:
    """Return rows of zeros with a 1 at each row's place; none where that is below 0."""
    ones = np.zeros((len(places), width), np.int8)
    there = np.flatnonzero(places >= 0)
    ones[there, places[there]] = 1
    return ones


@dataclass(frozen=True, slots=True, eq=False)
class MapPart:
    """Give the values of an object's keys, in the order of the keys."""

    reader: Reader
    keys: tuple[str, ...]
    elements: Callable[[str], ScalarMaker]  # makes what reads the values of a key
    default: Any

    @property
    def width(self) -> int:
        """One number for each key."""
        return len(self.keys)

    @property
    def name(self) -> str:
        """What is read, for people."""
        return self.reader.name

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return self.reader.fields

    def block(self, batch: Batch, width: int) -> Block:
        """Return the values of the keys; an object that is missing altogether is missing."""
        values = self.reader.read(batch)
        objects, bad = _objects(values)
        missing = ~values.present() & ~bad
        columns, problems = [], []
        for key in self.keys:
            inner = objects(key)
            maker = self.elements(key)
            done = maker.convert(inner)
            series = done.values
            absent = series.is_null().to_numpy() & ~done.bad
            if self.default is not NO_DEFAULT and self.default is not None:
                series, absent = series.set(pl.Series(absent), self.default), nowhere(len(batch))
            wrong = (done.bad | absent) & ~missing & ~bad
            problems.append((maker, inner, wrong, absent))
            columns.append(numbers_of(series))
        bad = np.logical_or.reduce([bad, *(wrong for _, _, wrong, _ in problems)])

        def why(row: int) -> str:
            for maker, inner, wrong, absent in problems:
                if wrong[row]:
                    missed = f"{maker.reader.name} is missing: give the map a default"
                    return missed if absent[row] else maker.problem(inner, row)
            return f"{self.reader.name} is {shown(values.at(row))}, and an object is expected"

        return Block(np.stack(columns, axis=1), bad, missing, why)


def _objects(values: Values) -> tuple[Callable[[str], Values], Mask]:
    """Return what gives the values of a key, and which rows hold no object."""
    if len(values.groups) == 1 and values.failed is None:
        group = values.groups[0]
        if group.kind is Kind.OBJECT and group.rows is None and isinstance(group.values, pl.Series):
            column = group.values
            names = [field.name for field in column.dtype.fields]  # type: ignore[attr-defined]
            nothing = pl.Series([None] * values.length)

            def field_of(key: str) -> Values:
                return of_series(column.struct.field(key) if key in names else nothing)

            return field_of, nowhere(values.length)
    held: list[Mapping[str, Any] | None] = [None] * values.length
    bad = nowhere(values.length) if values.failed is None else values.failed.copy()
    for group in values.groups:
        rows: Sequence[int] = range(values.length) if group.rows is None else group.rows.tolist()
        for row, value in zip(rows, group.values, strict=True):
            found = parsed(value) if group.kind is Kind.TEXT else value
            if isinstance(found, Mapping):
                held[row] = found
            elif found is not None and found != "":
                bad[row] = True

    def key_of(key: str) -> Values:
        return of_objects([None if one is None else one.get(key) for one in held])

    return key_of, bad
