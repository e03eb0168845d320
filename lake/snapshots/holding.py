"""What maintenance asks of snapshots: which files they need, and what an erasure did to one.

Who removes files or rewrites them looks at the table first, and at the snapshots after that: a snapshot that
was made in between is one of files that were in the table, and is seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa

from lake.cold import StepsTables
from lake.snapshots.choice import Choice
from lake.snapshots.contents import chosen_keys, measure
from lake.snapshots.episode_keys import read_keys, write_keys
from lake.snapshots.log import DELETED, Document, StateLog, snapshot_log, unless_draft
from lake.snapshots.making import bytes_of
from lake.snapshots.snapshot import Snapshot
from lake.tables import ArchiveTables
from schemas.errors import NotFoundError


def held_files(archive: ArchiveTables, besides: Collection[str] = ()) -> frozenset[str]:
    """Name the files of the steps table that stored snapshots, and drafts, need: they are never removed.

    Ask after the table's files were listed, not before. Those that the ids `besides` need are left out.
    """
    stored = snapshot_log(archive).all().items()
    return frozenset(name for key, content in stored if key not in besides for name in content["files"])


def drop_drafts(archive: ArchiveTables, before: datetime, *, dry_run: bool) -> frozenset[str]:
    """Remove the drafts of snapshots that are older than a time, and return their ids.

    Whoever made such a draft has died. One who has only slept finds it gone, and begins anew.
    """
    log = snapshot_log(archive)
    found = set()
    for key, state in log.all().items():
        if unless_draft(state) is None and log.changed_at(key) <= before:
            found.add(key)
            if not dry_run:
                log.change(key, partial(_ended, state))
    return frozenset(found)


def mark_erased(
    snapshot: Snapshot, erasure_id: str, rows: int, replaced_files: Mapping[str, str | None]
) -> Snapshot:
    """Say for ever that an erasure took rows from a snapshot, and which files it has now.

    `replaced_files` gives the new name of each file that was rewritten, None where nothing is left of it; the
    new ones are there already. Files of other snapshots may be among them. What else is stored of the
    snapshot is put right: its amounts, and the keys of episodes that are gone. Done again, after a kill,
    nothing is said twice. `rows` is how many of the snapshot's rows were erased.
    """
    log = snapshot_log(snapshot.archive)

    def erased(held: Document | None) -> Document | None:
        if held is None:
            return None
        return _erased(snapshot.archive, log, held, erasure_id, rows, replaced_files)

    stored = log.change(snapshot.id, erased)
    if stored is None:
        raise NotFoundError("snapshot", snapshot.id)
    marked = Snapshot.from_json(snapshot.archive, stored)
    forget_older(marked)
    return marked


def forget_older(snapshot: Snapshot) -> None:
    """Remove what was stored of a snapshot before it was marked as it is: it names who was erased.

    Who marked it may have died before this.
    """
    log = snapshot_log(snapshot.archive)
    log.forget(snapshot.id)
    for name in log.store.names(snapshot.id, ".parquet"):  # which hold names of episodes that are gone
        if f"{snapshot.id}/{name}" != snapshot.keys:
            log.store.remove(f"{snapshot.id}/{name}")


def remove_stale(
    archive: ArchiveTables, before: datetime, *, dry_run: bool, besides: Collection[str] = ()
) -> int:
    """Remove keys of episodes from before a time that no snapshot has, and count them; empty older states.

    Who made or deleted a snapshot and died has left them; younger ones may be of one that is being made.
    Ids in `besides` are taken for deleted.
    """
    log = snapshot_log(archive)
    found = 0
    for key in log.store.folders():
        old = [file.name for file in log.store.files(key) if file.modified <= before]
        # After the files were listed: what is stored by now was there.
        state = None if key in besides else log.read(key)
        stale = [
            name for name in old if name.endswith(".parquet") and (state is None or name != state["keys"])
        ]
        found += len(stale)
        if not dry_run:
            log.forget(key)
            for name in stale:
                log.store.remove(name)
    return found


def _ended(draft: Document, held: Document | None) -> Document | None:
    return DELETED if held == draft else None


def _erased(
    archive: ArchiveTables,
    log: StateLog,
    held: Document,
    erasure_id: str,
    rows: int,
    replaced_files: Mapping[str, str | None],
) -> Document | None:
    renamed = (replaced_files.get(name, name) for name in held["files"])
    files = sorted({name for name in renamed if name is not None})
    is_said = any(erasure["id"] == erasure_id for erasure in held["erasures"])
    if is_said and files == held["files"]:
        return None
    table, choice = StepsTables(archive), Choice.from_json(held)
    keys: pa.Table | None = None
    if held["keys"] is not None:
        keys = chosen_keys(table, files, choice, read_keys(log.store, held["keys"]))
    contents = measure(table, files, choice, keys)
    said = {"id": erasure_id, "rows": rows, "at": datetime.now(UTC).isoformat()}
    return {
        **held,
        "files": list(contents.files),
        "rows": contents.rows,
        "episodes": contents.episodes,
        "bytes": bytes_of(table, contents.files),
        "keys": None if keys is None else write_keys(log.store, held["id"], keys),
        "erasures": held["erasures"] if is_said else [*held["erasures"], said],
    }
