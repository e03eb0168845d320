"""Rows that do not follow a spec, told from those that do: one bad row never holds up the others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.conform import conform
from schemas.errors import StepsError
from schemas.membership import shape_mask
from schemas.step import WIRE_COLUMNS
from schemas.steps import Steps

Unfit = tuple[int, StepsError]
Indices = NDArray[np.int64]


def split_unfit(table: pa.Table, spec: ArchiveSpec) -> tuple[Steps, Indices, list[Unfit]]:
    """Return the rows that make steps, where they were, and of every other row why it is none.

    Raise StepsError where not one row could be a step, for a column is unknown or of another type.
    """
    every = np.arange(table.num_rows)
    try:
        return Steps(table, spec), every, []
    except StepsError:
        conform(table.slice(0, 0), spec)
    unfit: list[Unfit] = []
    pieces = [piece for piece in _conformed(table, every, spec, unfit) if len(piece[1])]
    joined = pa.concat_tables([piece for piece, _ in pieces]) if pieces else conform(table.slice(0, 0), spec)
    rows = np.concatenate([rows for _, rows in pieces]) if pieces else every[:0]
    good = _fits(joined, spec)
    for place in np.flatnonzero(~good).tolist():
        unfit.append((int(rows[place]), _why(joined.slice(place, 1), spec)))
    return Steps(joined.filter(pa.array(good)), spec), rows[good], sorted(unfit, key=lambda one: one[0])


def _conformed(
    table: pa.Table, rows: Indices, spec: ArchiveSpec, unfit: list[Unfit]
) -> list[tuple[pa.Table, Indices]]:
    """Bring rows to the spec's types, in halves where one of them is at fault for its value."""
    try:
        return [(conform(table, spec), rows)]
    except StepsError as exc:
        if table.num_rows == 1:
            unfit.append((int(rows[0]), exc))
            return []
    half = table.num_rows // 2
    return [
        *_conformed(table.slice(0, half), rows[:half], spec, unfit),
        *_conformed(table.slice(half), rows[half:], spec, unfit),
    ]


def _fits(table: pa.Table, spec: ArchiveSpec) -> NDArray[np.bool_]:
    """Say of each row whether `Steps` takes it."""
    fits = np.asarray(pc.is_valid(table["event_id"]))
    fits |= np.asarray(pc.and_(pc.is_valid(table["episode_id"]), pc.is_valid(table["step"])))
    for column in WIRE_COLUMNS:
        if column.required:
            fits &= np.asarray(pc.is_valid(table[column.name]))
    for name, space in spec.spaces.items():
        fits &= shape_mask(space, table[name])
    return fits


def _why(row: pa.Table, spec: ArchiveSpec) -> StepsError:
    try:
        Steps(row, spec)
    except StepsError as exc:
        return exc
    raise AssertionError("a row that fits was taken for one that does not")
