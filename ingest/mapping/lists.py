"""Lists as parts of a vector: of a column, of parsed JSON, or of a text that holds one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.mapping.batches import Batch, parsed
from ingest.mapping.casts import as_bytes
from ingest.mapping.made import Block
from ingest.mapping.parts import numbers_of
from ingest.mapping.readers import Reader
from ingest.mapping.scalars import NO_DEFAULT, ScalarMaker
from ingest.mapping.values import Group, Kind, Mask, Values, of_objects, of_series, valid
from schemas.shown import shown

_NUMBERS = (Kind.BOOL, Kind.INT, Kind.FLOAT)
_DEEPEST = 32  # of lists in lists


@dataclass(slots=True, eq=False)
class _Filling:
    """Gather a block while the groups of its values are read."""

    numbers: NDArray[Any]
    bad: Mask
    why: dict[int, str]


@dataclass(frozen=True, slots=True, eq=False)
class ListPart:
    """Give the elements of a list; those of lists in it stand one after another."""

    reader: Reader
    element: ScalarMaker  # how one element is read; its own reader only names it
    width: int | None
    separator: str | None = None  # between the elements of a text
    bytes_too: bool = False  # base64 and bytes are read as numbers from 0 to 255

    @property
    def name(self) -> str:
        """What is read, for people."""
        return self.reader.name

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return self.reader.fields

    def block(self, batch: Batch, width: int) -> Block:
        """Return the elements; a list of another length is bad."""
        values = self.reader.read(batch)
        bad = np.zeros(len(batch), np.bool_) if values.failed is None else values.failed.copy()
        present = values.present()
        filling = _Filling(np.zeros((len(batch), width), self._held()), bad, {})
        for group in values.groups:
            if group.kind is Kind.TEXT and isinstance(group.values, pl.Series):
                present[slice(None) if group.rows is None else group.rows] &= (
                    (group.values.str.len_bytes() > 0).fill_null(False).to_numpy()
                )
            self._fill(group, filling)

        def why(row: int) -> str:
            said = filling.why.get(row, f"is {shown(values.at(row))}, and a list is expected")
            return values.why_failed(row) or f"{self.reader.name}{'' if said[0] == '[' else ' '}{said}"

        return Block(filling.numbers, filling.bad, ~present & ~filling.bad, why)

    def _held(self) -> Any:
        return numbers_of(pl.Series([], dtype=self.element.target.held)).dtype

    def _fill(self, group: Group, filling: _Filling) -> None:
        rows = np.arange(len(filling.bad)) if group.rows is None else group.rows
        raw = as_bytes(group) if self.bytes_too else None
        if raw is not None and not (group.kind is Kind.TEXT and self._looks_like_lists(group)):
            self._fill_bytes(raw, rows, filling)
        elif isinstance(group.values, pl.Series) and group.kind is Kind.LIST and _is_flat(group.values):
            self._fill_column(group.values, rows, filling)
        elif isinstance(group.values, pl.Series) and group.kind is Kind.TEXT and self.separator is not None:
            split = group.values.str.split(self.separator).list.eval(pl.element().str.strip_chars())
            self._fill_column(split.set(group.values.str.len_bytes() == 0, None), rows, filling)
        elif group.kind in (Kind.LIST, Kind.TEXT):
            self._fill_lists(group, rows, filling)
        elif filling.numbers.shape[1] == 1 and group.kind in _NUMBERS:  # one value may stand alone
            there = valid(group.values)
            held = Group(group.kind, None, group.values.filter(pl.Series(there)))  # type: ignore[union-attr]
            alone = Values(int(there.sum()), (held,), held.values.__getitem__)
            self._fill_elements(alone, rows[there], filling)
        else:
            there = valid(group.values)
            filling.bad[rows[there]] = True

    def _looks_like_lists(self, group: Group) -> bool:
        return self.separator is not None or any(
            isinstance(v, str) and v.startswith("[") for v in group.values
        )

    def _fill_bytes(self, raw: Sequence[Any], rows: NDArray[np.intp], filling: _Filling) -> None:
        width = filling.numbers.shape[1]
        for row, value in zip(rows.tolist(), raw, strict=True):
            if value is False:
                filling.bad[row] = True
                filling.why[row] = "is no base64"
            elif value is not None and len(value) != width:
                self._wrong_length(row, len(value), filling)
            elif value is not None:
                filling.numbers[row] = np.frombuffer(value, np.uint8)

    def _fill_column(self, column: pl.Series, rows: NDArray[np.intp], filling: _Filling) -> None:
        array: Any = column.to_arrow()
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        lengths = pc.list_value_length(array).fill_null(-1).to_numpy(zero_copy_only=False)
        fitting = lengths == filling.numbers.shape[1]
        self._note_lengths(lengths, rows, filling)
        flat = array.flatten() if fitting.all() else array.filter(pa.array(fitting)).flatten()
        self._fill_elements(of_series(pl.Series(flat)), rows[fitting], filling)

    def _fill_lists(self, group: Group, rows: NDArray[np.intp], filling: _Filling) -> None:
        lists = [_flat(value, alone=filling.numbers.shape[1] == 1) for value in _plain(group)]
        lengths = np.fromiter(map(_length, lists), np.int64, len(lists))
        fitting = lengths == filling.numbers.shape[1]
        filling.bad[rows[lengths == -2]] = True
        self._note_lengths(lengths, rows, filling)
        flat = list(
            chain.from_iterable(one for one, fits in zip(lists, fitting.tolist(), strict=True) if fits)
        )
        self._fill_elements(of_objects(flat), rows[fitting], filling)

    def _note_lengths(self, lengths: NDArray[Any], rows: NDArray[np.intp], filling: _Filling) -> None:
        for place in np.flatnonzero((lengths >= 0) & (lengths != filling.numbers.shape[1])).tolist():
            self._wrong_length(int(rows[place]), int(lengths[place]), filling)

    def _wrong_length(self, row: int, length: int, filling: _Filling) -> None:
        filling.bad[row] = True
        wanted = filling.numbers.shape[1]
        filling.why[row] = f"has {length} value{'' if length == 1 else 's'}, and {wanted} are expected"

    def _fill_elements(self, flat: Values, rows: NDArray[np.intp], filling: _Filling) -> None:
        """Convert elements, and set them in the rows that they belong to."""
        if not len(rows):
            return
        width = filling.numbers.shape[1]
        done = self.element.convert(flat)
        series, default = done.values, self.element.default
        absent = series.is_null().to_numpy() & ~done.bad
        if default is not NO_DEFAULT and default is not None:
            series, absent = series.set(pl.Series(absent), default), np.zeros_like(absent)
        for place in np.flatnonzero(done.bad | absent).tolist():
            row = int(rows[place // width])
            filling.bad[row] = True
            said = f"{self.element.problem(flat, place)}"
            missing = f"[{place % width}] is missing"
            filling.why.setdefault(row, missing if absent[place] else f"[{place % width}]: {said}")
        filling.numbers[rows] = numbers_of(series).reshape(-1, width)


def _is_flat(column: pl.Series) -> bool:
    inner = getattr(column.dtype, "inner", None)
    return inner is not None and not isinstance(inner, pl.List | pl.Array | pl.Struct)


def _plain(group: Group) -> Sequence[Any]:
    return group.values.to_list() if isinstance(group.values, pl.Series) else group.values


def _length(value: Any) -> int:
    """Return the length of a list; -1 where it is missing, -2 where it is none."""
    if isinstance(value, list):
        return len(value)
    return -1 if value is None else -2


def _flat(value: Any, *, alone: bool) -> Any:
    """Return the elements of a list, and of lists in it; None for one that is missing, False for no list.

    Where one element is wanted, a value may stand `alone`.
    """
    found = parsed(value)
    if found is None or found == "":
        return None
    if not isinstance(found, list | tuple):
        return [found] if alone and not isinstance(found, Mapping) else False
    if not any(isinstance(element, list | tuple) for element in found):
        return list(found)
    try:
        return list(_elements(found, 0))
    except RecursionError:
        return False


def _elements(value: Sequence[Any], depth: int) -> Iterator[Any]:
    if depth > _DEEPEST:
        raise RecursionError
    for element in value:
        if isinstance(element, list | tuple):
            yield from _elements(element, depth + 1)
        else:
            yield element
