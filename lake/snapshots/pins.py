"""Pins: who needs a snapshot says so, and then it cannot be deleted."""

from __future__ import annotations

from datetime import UTC, datetime

from lake.snapshots.log import DELETED, Document, snapshot_log, unless_draft
from lake.snapshots.names import SnapshotNames
from lake.snapshots.snapshot import Snapshot
from schemas.errors import NotFoundError, UsageError

_LONGEST = 200


def pin(snapshot: Snapshot, by: str, note: str = "") -> Snapshot:
    """Keep a snapshot from being deleted for as long as `by`, such as "model/best", needs it.

    Pinned again by the same, the newer note stands. Of a pin and a deletion at once one comes first:
    raise NotFoundError where that was the deletion.
    """
    if not by.strip() or not by.isprintable() or len(by) > _LONGEST:
        raise UsageError(
            f"A snapshot cannot be pinned by {by[:_LONGEST]!r}.", hint="Say who needs it, such as model/best."
        )
    said = {"by": by, "note": note, "at": datetime.now(UTC).isoformat()}

    def pinned(held: Document | None) -> Document | None:
        held = unless_draft(held)
        if held is None:
            return None
        mine = [other for other in held["pins"] if other["by"] == by]
        if mine and mine[0]["note"] == note:
            return None
        return {**held, "pins": [*(other for other in held["pins"] if other["by"] != by), said]}

    return _opened(snapshot, snapshot_log(snapshot.archive).change(snapshot.id, pinned))


def unpin(snapshot: Snapshot, by: str) -> Snapshot:
    """Let a snapshot go; raise NotFoundError where it is not pinned by this one."""

    def unpinned(held: Document | None) -> Document | None:
        held = unless_draft(held)
        if held is None:
            return None
        names = [other["by"] for other in held["pins"]]
        if by not in names:
            raise NotFoundError("pin", by, known=names)
        return {**held, "pins": [other for other in held["pins"] if other["by"] != by]}

    return _opened(snapshot, snapshot_log(snapshot.archive).change(snapshot.id, unpinned))


def delete_snapshot(snapshot: Snapshot) -> list[str]:
    """Delete a snapshot, and return the names that it had; its files are kept no longer on its account.

    Raise UsageError where it is pinned, NotFoundError where it was deleted already.
    """
    log = snapshot_log(snapshot.archive)
    keys: list[str] = []

    def deleted(held: Document | None) -> Document | None:
        held = unless_draft(held)
        if held is None:
            raise NotFoundError("snapshot", snapshot.id)
        if held["pins"]:
            who = ", ".join(other["by"] for other in held["pins"])
            raise UsageError(
                f"The snapshot {snapshot.id} is pinned by {who}, and was not deleted.",
                hint=f"Let it go first: replaylake snapshot unpin {snapshot.id} --by {held['pins'][0]['by']}",
            )
        keys[:] = [held["keys"]] if held["keys"] else []
        return DELETED

    log.change(snapshot.id, deleted)
    log.forget(snapshot.id)
    for name in keys:
        log.store.remove(name)
    return SnapshotNames(snapshot.archive.lake_store).take_all(snapshot.id)


def _opened(snapshot: Snapshot, stored: Document | None) -> Snapshot:
    stored = unless_draft(stored)
    if stored is None:
        raise NotFoundError("snapshot", snapshot.id)
    return Snapshot.from_json(snapshot.archive, stored)
