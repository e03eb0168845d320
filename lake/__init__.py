"""The lake: archives of experience as Delta tables, snapshots of them, and SQL over them."""

from lake.archive import Archive
from lake.audit_scope import AuditScope, Tally
from lake.lake import Lake
from lake.landing import ArchiveLanding
from lake.quarantine import (
    QuarantineChoice,
    ReasonSummary,
    quarantine_count,
    quarantine_reasons,
    quarantine_rows,
    row_id,
)
from lake.reading import Blocks, StepArrays, open_blocks, read_arrays, read_transitions
from lake.replays import ReplayLanding
from lake.rows import choose_rows, read_steps, sample_snapshot, sample_steps
from lake.snapshots import Snapshot, SnapshotDiff, delete_snapshot, diff_snapshots, pin, unpin
from lake.sql import QueryLimits, QueryNames, QueryResult

__all__ = [
    "Archive",
    "ArchiveLanding",
    "AuditScope",
    "Blocks",
    "Lake",
    "QuarantineChoice",
    "QueryLimits",
    "QueryNames",
    "QueryResult",
    "ReasonSummary",
    "ReplayLanding",
    "Snapshot",
    "SnapshotDiff",
    "StepArrays",
    "Tally",
    "choose_rows",
    "delete_snapshot",
    "diff_snapshots",
    "open_blocks",
    "pin",
    "quarantine_count",
    "quarantine_reasons",
    "quarantine_rows",
    "read_arrays",
    "read_steps",
    "read_transitions",
    "row_id",
    "sample_snapshot",
    "sample_steps",
    "unpin",
]
