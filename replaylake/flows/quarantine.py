"""Replay quarantine: what passes by the suite of today lands once, and keeps its origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.mapping import RecordMapping
from ingest.replay import Failure, Landed, RecordMapper, Rejudged, Settlement, rejudge, settle
from lake import Archive, QuarantineChoice, ReplayLanding
from replaylake.flows.ingest import gate_of
from schemas.errors import CommitConflictError, StorageError, UsageError
from schemas.protocols import Gate
from schemas.step import LINEAGE_FIELDS, steps_schema

_BATCH = 250_000  # rows that are landed by one commit
_ATTEMPTS = 200  # each is a commit of somebody else that came first
_ORIGIN = [row_field.name for row_field in LINEAGE_FIELDS]


@dataclass(slots=True)
class ReplayReport:
    """Count what became of the rows of quarantine that were meant.

    In a dry run it says what would have. A row with several reasons counts under each.
    """

    dry_run: bool = False
    chosen: int = 0
    landed: int = 0
    duplicates: int = 0  # the same content has landed under their key: they are resolved, too
    failed: int = 0  # they stay
    taken: int = 0  # another replay resolved them meanwhile
    flagged: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  # of today, of those that stay
    examples: dict[str, str] = field(default_factory=dict)  # by reason: an id, and what was wrong there
    replays: list[str] = field(default_factory=list)  # their ids, one for each batch
    conflicts: int = 0  # commits that somebody else was faster with

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON-ready values."""
        return {
            "dry_run": self.dry_run,
            "chosen": self.chosen,
            "landed": self.landed,
            "duplicates": self.duplicates,
            "failed": self.failed,
            "taken": self.taken,
            "flagged": self.flagged,
            "reasons": dict(self.reasons.most_common()),
            "examples": dict(self.examples),
            "replays": list(self.replays),
            "conflicts": self.conflicts,
        }


def replay_quarantine(
    archive: Archive,
    choice: QuarantineChoice | None = None,
    *,
    mapping: RecordMapper | None = None,
    dry_run: bool = False,
    limit: int | None = None,
    batch_rows: int = _BATCH,
    on_progress: Callable[[ReplayReport], None] = lambda report: None,
) -> ReplayReport:
    """Judge rows of quarantine by the archive's suite of today, and land those that pass.

    All that are not resolved are meant, unless a choice is given. What lands keeps where it came from, and
    leaves the view `quarantine`; what fails stays. Run it again, or many at once, or kill it: no row lands
    twice. Each batch is one commit. Raise UsageError for a limit that is none, QueryError for a condition
    that is none, and StorageError where workers land so often that no commit of ours comes between.
    """
    if batch_rows < 1 or (limit is not None and limit < 1):
        raise UsageError(f"The limit {limit} is not possible.", hint="Give 1 or more.")
    replay = _Replay(archive, gate_of(archive), mapping, ReplayReport(dry_run))
    for held in replay.landing.batches(choice or QuarantineChoice(), batch_rows):
        left = None if limit is None else limit - replay.report.chosen
        replay.take(held.slice(0, left))
        on_progress(replay.report)
        if limit is not None and replay.report.chosen >= limit:
            break
    return replay.report


def load_mapping(file: Path) -> RecordMapping:
    """Read a mapping for a replay; raise UsageError where it is none, or makes steps of several records."""
    mapping = RecordMapping.load(file)
    if mapping.timeline is not None:
        raise UsageError(
            f"The mapping {str(file)!r} has a timeline, and quarantine holds single records.",
            hint="Publish the source again: what has landed before lands once.",
        )
    return mapping


class _Replay:
    """Take batches of quarantine through the gate to the steps table."""

    def __init__(
        self, archive: Archive, gate: Gate, mapping: RecordMapper | None, report: ReplayReport
    ) -> None:
        self.landing = ReplayLanding(archive)
        self.report = report
        self._spec = archive.spec
        self._gate = gate
        self._mapping = mapping
        self._metadata = {"replaylake.spec": archive.spec.hash, "replaylake.suite": gate.suite_hash}

    def take(self, held: pa.Table) -> None:
        """Judge a batch, land what passes, and count."""
        rejudged = rejudge(held, self._spec, self._gate, self._mapping)
        open_, settled = self._land(held, rejudged)
        report = self.report
        report.chosen += held.num_rows
        report.landed += len(settled.landing)
        report.duplicates += len(settled.duplicates)
        report.flagged += int(np.count_nonzero(pc.list_value_length(settled.rows["flags"])))
        report.taken += int(np.count_nonzero(~open_))
        for place, failure in ({**rejudged.failed, **settled.failed}).items():
            if open_[place]:
                self._count(failure, held, place)

    def _count(self, failure: Failure, held: pa.Table, place: int) -> None:
        self.report.failed += 1
        self.report.reasons.update(failure.reasons)
        for reason in failure.reasons:
            if reason not in self.report.examples:
                *origin, _ = (held[name][place].as_py() for name in _ORIGIN)
                self.report.examples[reason] = f"{'/'.join(map(str, origin))}: {failure.detail}"

    def _land(self, held: pa.Table, rejudged: Rejudged) -> tuple[NDArray[np.bool_], Settlement]:
        """Land what passes; where somebody commits meanwhile, look at what he landed and try again."""
        landed = Landed(rejudged.rows)
        seen: set[str] = set()
        for _ in range(_ATTEMPTS):
            open_ = self.landing.still_open(held)
            landed.add(self.landing.files_of(landed.dates, seen))
            settled = settle(rejudged, open_, landed)
            resolved = _resolved(held, settled)
            if self.report.dry_run or not resolved.num_rows:
                return open_, settled
            try:
                replay = self.landing.commit(self._stamped(settled.rows), resolved, self._metadata)
            except CommitConflictError:
                self.report.conflicts += 1
                self.landing.refresh()
            else:
                self.report.replays.append(replay)
                return open_, settled
        raise StorageError(
            f"Others landed rows {_ATTEMPTS} times while this replay was about to.",
            hint="What it has landed before stays. Stop some workers, and replay again.",
        )

    def _stamped(self, rows: pa.Table) -> pa.Table:
        """Add the time of the commit."""
        schema = steps_schema(self._spec)
        place = schema.get_field_index("ingested_at")
        now = pa.scalar(datetime.now(UTC), schema.field(place).type)
        return rows.add_column(place, schema.field(place), pa.repeat(now, rows.num_rows))


def _resolved(held: pa.Table, settled: Settlement) -> pa.Table:
    """Return which rows of quarantine are resolved, and how."""
    places = np.concatenate([settled.landing, settled.duplicates])
    how = ["landed"] * len(settled.landing) + ["duplicate"] * len(settled.duplicates)
    return held.select(_ORIGIN).take(places).append_column("resolved_as", pa.array(how, pa.string()))
