"""Dry run: what a mapping would make of records, and what the gate would say, with nothing sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.mapping import RecordMapping
from ingest.records import Mapped, Records, Refused
from ingest.worker.arrival import clock_is_right
from ingest.worker.judging import CLOCK_SKEW
from lake import Archive
from replaylake.flows.ingest import gate_of
from schemas.archive_spec import ArchiveSpec
from schemas.conform import conform
from schemas.protocols import Gate
from schemas.step import KEY_COLUMNS, TIMESTAMP

_SHOWN_BYTES = 200  # of a refused record


@dataclass(frozen=True, slots=True)
class DryRow:
    """Hold one row as it would land, and what the gate would say of it."""

    values: Mapping[str, Any]  # by wire column; nulls are left out
    accepted: bool
    flags: tuple[str, ...]  # warnings, of a row that lands
    reasons: tuple[str, ...]  # of a row that goes to quarantine
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, but for times and bytes."""
        return {
            "row": dict(self.values),
            "accepted": self.accepted,
            "flags": list(self.flags),
            "reasons": list(self.reasons),
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class DryRun:
    """Hold what a dry run found; the counts are of the records that were looked at."""

    rows: tuple[DryRow, ...]  # the first ones
    refused: tuple[Refused, ...]  # the first records that made no row
    records: int
    left_out: int  # by the mapping's `where`
    mapped: int  # rows that the mapping, or the timeline, made
    accepted: int
    flagged: int
    rejected: int
    unmapped: int  # records that the source, the mapping or the timeline refused
    repeated: int  # rows with a key that an earlier one has: dropped where they are equal, else refused
    reasons: Mapping[str, int] = field(default_factory=dict)
    complete: bool = True  # nothing comes after the records that were looked at

    def to_dict(self) -> dict[str, Any]:
        """Return values for a JSON document."""
        counts = {
            name: getattr(self, name)
            for name in (
                "records", "left_out", "mapped", "accepted", "flagged", "rejected", "unmapped", "repeated",
            )
        }  # fmt: skip
        return {
            **counts,
            "complete": self.complete,
            "reasons": dict(self.reasons),
            "rows": [row.to_dict() for row in self.rows],
            "refused": [
                {
                    "reason": one.reason,
                    "detail": one.detail,
                    "raw": one.raw[:_SHOWN_BYTES].decode(errors="replace"),
                }
                for one in self.refused
            ],
        }


def dry_run(
    archive: Archive,
    mapping: RecordMapping,
    batches: Iterable[Records],
    *,
    limit: int = 10,
    most: int = 10_000,
) -> DryRun:
    """Map the first records for an archive, judge the rows by its gate, and send nothing.

    For `replaylake publish NAME FILE --mapping M.yaml --dry-run`: open the file by `open_records(path,
    mapping.source)`, call this, and show it by `replaylake.cli.dry_run_table.dry_run_shown`. At most
    `most` records, or few more, are read, and `limit` rows and refusals kept. Raise UsageError where the
    mapping fits the archive or the records not at all.
    """
    return dry_run_by(archive.spec, gate_of(archive), mapping, batches, limit=limit, most=most)


def dry_run_by(
    spec: ArchiveSpec,
    gate: Gate,
    mapping: RecordMapping,
    batches: Iterable[Records],
    *,
    limit: int = 10,
    most: int = 10_000,
    now: datetime | None = None,
) -> DryRun:
    """Do the same for an archive that need not be there yet."""
    application = mapping.application(spec)
    done: list[Mapped] = []
    refused: list[Refused] = []
    records, complete = 0, True
    for batch in batches:
        if records >= most:
            complete = False
            break
        done.append(application.apply(batch))
        refused += [*batch.refused, *done[-1].refused]
        records += len(batch) + len(batch.refused)
    left_out = records - len(refused) - sum(one.table.num_rows for one in done)
    now = now or datetime.now(UTC)
    rows, lost = _steps_of(done, mapping, spec, now)
    refused += lost
    judged = _Judged.of(rows, spec, gate, now)
    return DryRun(
        rows=judged.first(limit),
        refused=tuple(refused[:limit]),
        records=records,
        left_out=left_out,
        mapped=rows.num_rows,
        accepted=int(np.count_nonzero(judged.accepted)),
        flagged=int(np.count_nonzero([bool(flags) for flags in judged.flags])),
        rejected=int(np.count_nonzero(~judged.accepted)),
        unmapped=len(refused),
        repeated=_repeated(rows),
        reasons=dict((judged.reasons + Counter(one.reason for one in refused)).most_common()),
        complete=complete,
    )


def _steps_of(
    done: list[Mapped], mapping: RecordMapping, spec: ArchiveSpec, now: datetime
) -> tuple[pa.Table, tuple[Refused, ...]]:
    """Return the rows as they would be published, and what the timeline refused besides."""
    if mapping.timeline is None:
        tables = [conform(one.table, spec) for one in done]
        return (pa.concat_tables(tables) if tables else conform(pa.table({}), spec)), ()
    from ingest.timeline.bulk import build_steps

    built = build_steps([one.sent_at(now) for one in done], mapping.timeline, spec)
    before = sum(len(one.refused) for one in done)
    return built.steps, built.refused[before:]


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    rows: pa.Table
    accepted: np.ndarray[Any, np.dtype[np.bool_]]
    flags: list[list[str]]
    codes: list[list[str]]
    details: list[str]

    @classmethod
    def of(cls, rows: pa.Table, spec: ArchiveSpec, gate: Gate, now: datetime) -> _Judged:
        """Judge rows as the worker does: by the gate and by the clock."""
        verdict = gate.judge(rows)
        sent = pa.repeat(pa.scalar(now, TIMESTAMP), rows.num_rows)
        on_time = clock_is_right(pc.coalesce(rows["event_time"], sent), sent, spec)
        codes = [list(one) for one in verdict.reasons.to_pylist()]
        details = [""] * rows.num_rows
        described = gate.describe(rows, verdict).to_pylist()
        for place, detail in zip(np.flatnonzero(~verdict.accepted).tolist(), described, strict=True):
            details[place] = detail
        for place in np.flatnonzero(~on_time).tolist():
            codes[place].append(CLOCK_SKEW)
            said = f"event_time is {rows['event_time'][place].as_py().isoformat()}, outside the clock's skew"
            details[place] = "; ".join(filter(None, (details[place], said)))
        accepted = verdict.accepted & on_time
        flags = [
            list(one) if fits else []
            for one, fits in zip(verdict.flags.to_pylist(), accepted.tolist(), strict=True)
        ]
        return cls(rows, accepted, flags, codes, details)

    @property
    def reasons(self) -> Counter[str]:
        """Count the reasons."""
        return Counter(code for codes in self.codes for code in codes)

    def first(self, limit: int) -> tuple[DryRow, ...]:
        """Return the first rows with what is said of them."""
        return tuple(
            DryRow(
                {name: value for name, value in row.items() if value is not None},
                bool(self.accepted[place]),
                tuple(self.flags[place]),
                tuple(self.codes[place]),
                self.details[place],
            )
            for place, row in enumerate(self.rows.slice(0, limit).to_pylist())
        )


def _repeated(rows: pa.Table) -> int:
    """Count the rows whose key an earlier row has."""
    named = pc.is_valid(rows["event_id"])
    key = ["event_id"]
    by_id = rows.filter(named).group_by(key).aggregate([]).num_rows
    others = rows.filter(pc.invert(named))
    by_place = others.group_by([name for name in KEY_COLUMNS if name != "event_id"]).aggregate([]).num_rows
    return int(rows.num_rows - by_id - by_place)
