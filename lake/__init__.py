"""The lake: archives of experience as Delta tables, snapshots of them, and SQL over them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
else:
    from lake.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Archive": "lake.archive",
            "ArchiveLanding": "lake.landing",
            "AuditScope": "lake.audit_scope",
            "Blocks": "lake.reading",
            "Lake": "lake.lake",
            "QuarantineChoice": "lake.quarantine",
            "QueryLimits": "lake.sql",
            "QueryNames": "lake.sql",
            "QueryResult": "lake.sql",
            "ReasonSummary": "lake.quarantine",
            "ReplayLanding": "lake.replays",
            "Snapshot": "lake.snapshots",
            "SnapshotDiff": "lake.snapshots",
            "StepArrays": "lake.reading",
            "Tally": "lake.audit_scope",
            "choose_rows": "lake.rows",
            "delete_snapshot": "lake.snapshots",
            "diff_snapshots": "lake.snapshots",
            "open_blocks": "lake.reading",
            "pin": "lake.snapshots",
            "quarantine_count": "lake.quarantine",
            "quarantine_reasons": "lake.quarantine",
            "quarantine_rows": "lake.quarantine",
            "read_arrays": "lake.reading",
            "read_steps": "lake.rows",
            "read_transitions": "lake.reading",
            "row_id": "lake.quarantine",
            "sample_snapshot": "lake.rows",
            "sample_steps": "lake.rows",
            "unpin": "lake.snapshots",
        },
    )

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
