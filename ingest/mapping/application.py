"""Application: a mapping that is ready for one archive, and what it makes of a batch of records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.mapping.batches import Batch
from ingest.mapping.computed import ExpressionReader
from ingest.mapping.made import Made, Maker, nowhere
from ingest.mapping.values import Kind, Mask, Rows
from ingest.records import Mapped, Records, Refused
from schemas.errors import UsageError
from schemas.marked_yaml import MarkedYaml
from schemas.step import WIRE_COLUMNS

_REQUIRED = frozenset(column.name for column in WIRE_COLUMNS if column.required and column.default is None)
_UNKEYED = "a step is known by its place in an episode, or by an id of its own"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Hold what makes each column, and which records are looked at."""

    makers: Mapping[str, Maker]
    where: ExpressionReader | None
    has_timeline: bool

    @property
    def names_rows(self) -> bool:
        """Say whether the records' own ids stand as event ids."""
        if "event_id" in self.makers:
            return False
        return self.has_timeline or not {"episode_id", "step"} <= set(self.makers)


@dataclass(frozen=True, slots=True, eq=False)
class Application:
    """Apply a plan."""

    plan: Plan
    document: MarkedYaml

    def apply(self, records: Records) -> Mapped:
        """Map records to rows, in their order; see `RecordMapping.apply`."""
        whole = Batch(records.fields)
        rows, faults = self._chosen(whole)
        batch = whole if len(rows) == len(whole) else whole.take(rows)
        made: dict[str, Made] = {}
        for name, maker in self.plan.makers.items():
            try:
                made[name] = maker.make(batch)
            except UsageError as exc:
                line = self.document.line_of(("columns", name))
                at = f" (line {line})" if line else ""
                said = f"{self.document.origin}, column {name!r}{at}: {exc.message}"
                raise UsageError(said, hint=exc.hint) from exc
        bad = self._faults(made, rows, faults)
        return self._mapped(records, made, rows, bad, faults)

    def _chosen(self, batch: Batch) -> tuple[Rows, dict[int, tuple[str, str]]]:
        """Return the records to look at, and why of others that cannot be said."""
        if self.plan.where is None:
            return np.arange(len(batch)), {}
        try:
            values = self.plan.where.read(batch)
        except UsageError as exc:
            raise UsageError(f"{self.document.origin}, where: {exc.message}", hint=exc.hint) from exc
        kept, told = nowhere(len(batch)), nowhere(len(batch))
        for group in values.groups:
            if group.kind is Kind.BOOL:
                places = slice(None) if group.rows is None else group.rows
                kept[places] = group.values.fill_null(False).to_numpy()  # type: ignore[union-attr]
                told[places] = group.values.is_not_null().to_numpy()  # type: ignore[union-attr]
        if values.failed is not None:
            kept &= ~values.failed
            told &= ~values.failed
        faults = {}
        for row in np.flatnonzero(~told).tolist():
            said = values.why_failed(row) or "it is neither true nor false"
            faults[row] = ("mapping(where)", f"where: {said}")
        return np.flatnonzero(kept), faults

    def _faults(self, made: Mapping[str, Made], rows: Rows, faults: dict[int, tuple[str, str]]) -> Mask:
        """Say which rows cannot be, and note why by their record."""
        bad = nowhere(len(rows))
        reasons: dict[int, tuple[str, list[str]]] = {}
        for name, column in made.items():
            wrong = column.bad
            if name in _REQUIRED and not self.plan.has_timeline:
                wrong = wrong | column.missing
            bad |= wrong
            for row in np.flatnonzero(wrong).tolist():
                said = column.why(row) if column.bad[row] else self._missing(name)
                reasons.setdefault(row, (name, []))[1].append(f"{name}: {said}")
        for row in np.flatnonzero(self._unkeyed(made, len(rows)) & ~bad).tolist():
            bad[row] = True
            named = "event_id" if "event_id" in made else "step"
            reasons[row] = (named, [f"{named}: it is missing, and {_UNKEYED}"])
        for row, (name, said_of) in reasons.items():
            faults[int(rows[row])] = (f"mapping({name})", "; ".join(said_of))
        return bad

    def _missing(self, name: str) -> str:
        fields = self.plan.makers[name].fields
        return (
            f"{', '.join(map(repr, fields))} {'is' if len(fields) == 1 else 'are'} missing"
            if fields
            else "it is null"
        )

    def _unkeyed(self, made: Mapping[str, Made], length: int) -> Mask:
        if self.plan.names_rows or self.plan.has_timeline:
            return nowhere(length)
        keyed = nowhere(length)
        if "event_id" in made:
            keyed |= ~made["event_id"].missing
        if {"episode_id", "step"} <= set(made):
            keyed |= ~made["episode_id"].missing & ~made["step"].missing
        return ~keyed

    def _mapped(
        self,
        records: Records,
        made: Mapping[str, Made],
        rows: Rows,
        bad: Mask,
        faults: Mapping[int, tuple[str, str]],
    ) -> Mapped:
        table = pa.table({name: column.array for name, column in made.items()})
        record = rows
        if bad.any():
            table = table.filter(pa.array(~bad))
            record = rows[~bad]
        if self.plan.names_rows or (self.plan.has_timeline and "event_id" in made):
            ids = records.ids if len(record) == len(records) else records.ids.take(pa.array(record))
            table = _with_ids(table, ids)
        refused = tuple(Refused(records.raw(row), *faults[row]) for row in sorted(faults))
        return Mapped(table, record.astype(np.int64), refused, records.raw)


def _with_ids(table: pa.Table, ids: pa.Array) -> pa.Table:
    """Give the rows the ids of their records, where they have none of their own."""
    place = table.schema.get_field_index("event_id")
    if place < 0:
        return table.add_column(0, pa.field("event_id", pa.string()), ids.cast(pa.string()))
    return table.set_column(place, "event_id", pc.coalesce(table["event_id"], ids.cast(pa.string())))
