"""Steps: a frozen Arrow batch that cannot exist unless it follows its spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.archive_spec import ArchiveSpec
from schemas.conform import conform
from schemas.errors import StepsError, WireError
from schemas.membership import shape_mask
from schemas.row_values import row_from_mapping
from schemas.shown import shown
from schemas.step import WIRE_COLUMNS, wire_schema
from schemas.upgrades import of_today


@final
class Steps:
    """Hold steps of one archive: the right columns and types, every value of the right shape.

    Whether values are plausible (finite, in range, in time) is for the gate to judge, not said here.
    """

    __slots__ = ("_spec", "_table")

    def __init__(self, table: pa.Table, spec: ArchiveSpec) -> None:
        """Take the table as it is where it fits; raise StepsError with the column where it does not."""
        conformed = conform(table, spec)
        _check(conformed, spec)
        self._table = conformed
        self._spec = spec

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], spec: ArchiveSpec) -> Steps:
        """Build steps from Python rows: numpy arrays, numbers, mappings, as an environment gives them."""
        values = []
        for index, row in enumerate(rows):
            try:
                values.append(row_from_mapping(of_today(row), spec))
            except WireError as exc:
                raise StepsError(f"Row {index}: {exc.message}", reason=exc.reason, hint=exc.hint) from exc
        return cls(pa.Table.from_pylist(values, schema=wire_schema(spec)), spec)

    @property
    def table(self) -> pa.Table:
        """The rows, with the wire columns of the spec."""
        return self._table

    @property
    def spec(self) -> ArchiveSpec:
        """The spec that the rows follow."""
        return self._spec

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __eq__(self, other: object) -> bool:
        """Say whether both hold the same rows, NaN being the same as NaN."""
        if not isinstance(other, Steps):
            return NotImplemented
        return self._spec == other._spec and pl.DataFrame(self._table).equals(pl.DataFrame(other._table))

    __hash__ = None  # type: ignore[assignment]  # a batch is compared, never a key

    def __repr__(self) -> str:
        return f"Steps({self._spec.name}, {len(self)} rows)"


def _check(table: pa.Table, spec: ArchiveSpec) -> None:
    for column in WIRE_COLUMNS:
        if column.required and table[column.name].null_count:
            row = _first_false(np.asarray(table[column.name].is_valid()))
            raise StepsError(
                f"Row {row} has no {column.name}.", column=column.name, hint="Every step needs one."
            )
    keyed = pc.or_(
        pc.is_valid(table["event_id"]), pc.and_(pc.is_valid(table["episode_id"]), pc.is_valid(table["step"]))
    )
    if not pc.all(keyed, min_count=0).as_py():
        raise StepsError(
            f"Row {_first_false(np.asarray(keyed))} has neither an event_id nor an episode_id and a step.",
            column="step",
            hint="A step is known by its place in an episode, or by an id of its own.",
        )
    for name, space in spec.spaces.items():
        fits = shape_mask(space, table[name])
        if not fits.all():
            row = _first_false(fits)
            raise StepsError(
                f"Row {row}: {name} {shown(table[name][row].as_py())} has not the shape of {shown(space)}.",
                column=name,
                hint="See the archive's spec for its shape.",
            )


def _first_false(mask: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    return int(np.argmin(mask))
