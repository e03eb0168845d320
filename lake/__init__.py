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
from lake.reader import read_transitions
from lake.replays import ReplayLanding
from lake.rows import choose_rows, read_steps, sample_snapshot, sample_steps
from lake.snapshots import Snapshot
from lake.sql import QueryResult

__all__ = [
    "Archive",
    "ArchiveLanding",
    "AuditScope",
    "Lake",
    "QuarantineChoice",
    "QueryResult",
    "ReasonSummary",
    "ReplayLanding",
    "Snapshot",
    "Tally",
    "choose_rows",
    "quarantine_count",
    "quarantine_reasons",
    "quarantine_rows",
    "read_steps",
    "read_transitions",
    "row_id",
    "sample_snapshot",
    "sample_steps",
]
