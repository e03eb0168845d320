"""Finding snapshots, by id or by name, and listing them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lake.snapshots.log import snapshot_log, unless_draft
from lake.snapshots.names import SnapshotNames
from lake.snapshots.snapshot import Snapshot
from lake.tables import ArchiveTables
from schemas.errors import NotFoundError

_ID = re.compile(r"([a-z][a-z0-9_]*)-[0-9a-f]{12}")


def find_snapshot(archives: Sequence[ArchiveTables], id_or_name: str) -> Snapshot:
    """Find a snapshot by its id or its name; raise NotFoundError with those that are there."""
    snapshot_id: str | None = id_or_name
    names = SnapshotNames(archives[0].lake_store) if archives else None
    if not _ID.fullmatch(id_or_name):
        snapshot_id = names.read(id_or_name) if names else None
    found = _by_id(archives, snapshot_id) if snapshot_id else None
    if found is not None:
        return found
    there = list_snapshots(archives)
    ids = {snapshot.id for snapshot in there}
    named = [name for name, held in names.all().items() if held in ids] if names else []
    raise NotFoundError(
        "snapshot",
        id_or_name,
        known=[*ids, *named],
        hint=f"It was the name of {snapshot_id}, which was deleted."
        if snapshot_id and snapshot_id != id_or_name
        else "Make one: replaylake snapshot create NAME",
    )


def list_snapshots(archives: Sequence[ArchiveTables], *, drafts: bool = False) -> list[Snapshot]:
    """List the snapshots of archives, oldest first; with `drafts` also those that are yet to be made."""
    found = []
    for archive in archives:
        for content in snapshot_log(archive).all().values():
            if drafts or unless_draft(content):
                found.append(Snapshot.from_json(archive, content))
    return sorted(found, key=lambda snapshot: (snapshot.created_at, snapshot.id))


def _by_id(archives: Sequence[ArchiveTables], snapshot_id: str) -> Snapshot | None:
    for archive in archives:
        if snapshot_id.startswith(f"{archive.name}-"):
            content = unless_draft(snapshot_log(archive).read(snapshot_id))
            return None if content is None else Snapshot.from_json(archive, content)
    return None
