"""Snapshots: immutable choices of steps, found by id or name, pinned, split, compared and deleted."""

from lake.snapshots.difference import Overlap, SnapshotDiff, diff_snapshots
from lake.snapshots.finding import find_snapshot, list_snapshots
from lake.snapshots.holding import drop_drafts, forget_older, held_files, mark_erased, remove_stale
from lake.snapshots.marks import Erasure, Pin
from lake.snapshots.names import SnapshotNames
from lake.snapshots.pins import delete_snapshot, pin, unpin
from lake.snapshots.snapshot import Snapshot, create_snapshot

__all__ = [
    "Erasure",
    "Overlap",
    "Pin",
    "Snapshot",
    "SnapshotDiff",
    "SnapshotNames",
    "create_snapshot",
    "delete_snapshot",
    "diff_snapshots",
    "drop_drafts",
    "find_snapshot",
    "forget_older",
    "held_files",
    "list_snapshots",
    "mark_erased",
    "pin",
    "remove_stale",
    "unpin",
]
