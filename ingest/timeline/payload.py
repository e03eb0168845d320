"""What a step carries: the rows of step events in the archive's wire schema, each refused by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.conform import conform
from schemas.errors import StepsError
from schemas.membership import shape_mask
from schemas.shown import shown, unknown_field
from schemas.step import WIRE_COLUMNS, wire_schema

_FLAGS = ("terminated", "truncated")  # the timeline decides them, where the log does not


@dataclass(frozen=True, slots=True, eq=False)
class Payload:
    """Hold rows that fit the archive's spec, and say of the others why they do not."""

    table: pa.Table  # the archive's wire columns
    kept: NDArray[np.int64]  # the place of each of them among the rows given
    problems: dict[int, StepsError]  # of the others, by their place


def fit_payload(table: pa.Table, spec: ArchiveSpec) -> Payload:
    """Bring rows to the spec's wire schema; raise StepsError for a column that neither of us knows.

    A value that does not fit costs its own row only.
    """
    conformed, kept, problems = _conformed(table, spec, 0)
    flawed = _flaws(conformed, spec)
    if not flawed:
        return Payload(conformed, kept, problems)
    problems.update({int(kept[place]): problem for place, problem in flawed.items()})
    good = np.setdiff1d(np.arange(len(kept)), list(flawed))
    return Payload(conformed.take(good), kept[good], problems)


def row_sizes(table: pa.Table) -> NDArray[np.int64]:
    """Return how many bytes each row's values take, the same however rows are batched."""
    sizes = np.zeros(table.num_rows, np.int64)
    for column in table.columns:
        if column.null_count < len(column):
            whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            sizes += _sizes(whole)
    return sizes


def _conformed(
    table: pa.Table, spec: ArchiveSpec, first: int
) -> tuple[pa.Table, NDArray[np.int64], dict[int, StepsError]]:
    """Conform the rows; where one cannot be, halve until it stands alone."""
    rows = table.num_rows
    try:
        fitted = conform(table, spec)
        for name in _FLAGS:
            place = fitted.schema.get_field_index(name)
            fitted = fitted.set_column(place, fitted.schema.field(place), fitted[name].fill_null(False))
        return fitted, np.arange(first, first + rows), {}
    except StepsError as exc:
        if exc.reason == unknown_field(exc.column):
            raise  # no row is at fault: the mapping makes what the archive does not have
        if rows == 1 or _never_fits(table, spec):
            none = np.zeros(0, np.int64)
            return (
                wire_schema(spec).empty_table(),
                none,
                dict.fromkeys(range(first, first + rows), exc),
            )
    half = rows // 2
    left, right = (
        _conformed(table.slice(0, half), spec, first),
        _conformed(table.slice(half), spec, first + half),
    )
    return pa.concat_tables([left[0], right[0]]), np.concatenate([left[1], right[1]]), left[2] | right[2]


def _never_fits(table: pa.Table, spec: ArchiveSpec) -> bool:
    """Say whether not even no row of this table fits, because of a column's type."""
    try:
        conform(table.slice(0, 0), spec)
    except StepsError:
        return True
    return False


def _flaws(table: pa.Table, spec: ArchiveSpec) -> dict[int, StepsError]:
    """Say of each row without a value that it needs, or with one of the wrong shape, what is wrong."""
    flaws: dict[int, StepsError] = {}
    for column in WIRE_COLUMNS:
        if column.required and table[column.name].null_count:
            missing = np.asarray(table[column.name].is_null())
            for row in np.flatnonzero(missing).tolist():
                flaws.setdefault(row, StepsError(f"the event has no {column.name}", column=column.name))
    for name, space in spec.spaces.items():
        for row in np.flatnonzero(~shape_mask(space, table[name])).tolist():
            said = f"{name} {shown(table[name][row].as_py())} has not the shape of {shown(space)}"
            flaws.setdefault(row, StepsError(said, column=name))
    return flaws


def _sizes(array: pa.Array) -> NDArray[np.int64]:
    kind = array.type
    if pa.types.is_struct(kind):
        return sum(map(_sizes, array.flatten()), np.zeros(len(array), np.int64))
    if pa.types.is_list(kind):
        return _counts(pc.list_value_length(array)) * _width(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _counts(pc.binary_length(array))
    return np.asarray(array.is_valid()).astype(np.int64) * _width(kind)


def _counts(lengths: pa.Array) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = lengths.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return counts


def _width(kind: pa.DataType) -> int:
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:  # no fixed width: lists of lists or of text
        return 64
