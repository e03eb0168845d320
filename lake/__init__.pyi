# What the package offers; "as" hands a name on.
# ruff: noqa: I001
from .archive import Archive as Archive
from .audit_scope import AuditScope as AuditScope, Tally as Tally
from .lake import Lake as Lake
from .landing import ArchiveLanding as ArchiveLanding
from .quarantine import (
    QuarantineChoice as QuarantineChoice,
    ReasonSummary as ReasonSummary,
    quarantine_count as quarantine_count,
    quarantine_reasons as quarantine_reasons,
    quarantine_rows as quarantine_rows,
    row_id as row_id,
)
from .reading import (
    Blocks as Blocks,
    StepArrays as StepArrays,
    open_blocks as open_blocks,
    read_arrays as read_arrays,
    read_transitions as read_transitions,
)
from .replays import ReplayLanding as ReplayLanding
from .rows import (
    choose_rows as choose_rows,
    read_steps as read_steps,
    sample_snapshot as sample_snapshot,
    sample_steps as sample_steps,
)
from .snapshots import (
    Snapshot as Snapshot,
    SnapshotDiff as SnapshotDiff,
    delete_snapshot as delete_snapshot,
    diff_snapshots as diff_snapshots,
    pin as pin,
    unpin as unpin,
)
from .sql import (
    QueryLimits as QueryLimits,
    QueryNames as QueryNames,
    QueryResult as QueryResult,
)
