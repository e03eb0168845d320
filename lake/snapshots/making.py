"""What is stored of a new snapshot, and storing it so that nobody takes its files away meanwhile."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pyarrow as pa

from lake.cold import StepsTables
from lake.episode_query import AUDITED_COLUMNS
from lake.snapshots.choice import Choice
from lake.snapshots.contents import chosen_keys, measure
from lake.snapshots.episode_keys import digest_of, write_keys
from lake.snapshots.log import DELETED, Document, snapshot_log, unless_draft
from lake.tables import ArchiveTables
from schemas.errors import QueryError


def describe(
    archive: ArchiveTables, table: StepsTables, names: Sequence[str], choice: Choice, keys: pa.Table | None
) -> tuple[Document, pa.Table | None]:
    """Return what is to be stored of a choice from files, and the keys; refuse a choice of nothing."""
    contents = measure(table, names, choice, keys)
    if not contents.rows:
        raise _nothing(archive, choice)
    if keys is not None and choice.where is not None:
        # Of an episode without a row here nothing is kept: an erasure would not look for it.
        keys = chosen_keys(table, contents.files, choice, keys)
    digest = None if keys is None else digest_of(keys)
    identity = [archive.lake_id, archive.name, choice.identity, contents.files, digest]
    content = json.dumps(identity, separators=(",", ":"))
    document = {
        "id": f"{archive.name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}",
        "archive": archive.name,
        "version": table.version,
        **choice.to_json(),
        "files": list(contents.files),
        "rows": contents.rows,
        "episodes": contents.episodes,
        "bytes": bytes_of(table, contents.files),
        "created_at": datetime.now(UTC).isoformat(),
        "keys": None,
        "erasures": [],
        "pins": [],
    }
    return document, keys


def keep(
    archive: ArchiveTables, described: Document, keys: pa.Table | None, is_safe: Callable[[], bool]
) -> Document | None:
    """Store a snapshot unless it is stored; None, and nothing kept, where its files were not safe by then.

    It is a draft at first. From the moment when that is stored, whoever removes files sees it. Those who
    looked before that found the files in use, or `is_safe` says afterwards that they are so no more. A draft
    whose maker died is removed in time, and likewise that of one who took so long.
    """
    log, snapshot_id = snapshot_log(archive), described["id"]
    named = None if keys is None else write_keys(log.store, snapshot_id, keys)
    draft = {**described, "keys": named, "is_draft": True}
    stored = log.change(snapshot_id, lambda held: draft if held is None else None)
    if named and (stored is None or stored["keys"] != named):
        log.store.remove(named)  # it was stored before

    def is_judged(held: Document | None) -> bool:
        """Say whether it is the draft that was there before `is_safe` was asked, not a later one."""
        same = held is not None and stored is not None and held["created_at"] == stored["created_at"]
        return same and unless_draft(held) is None

    # Who slept before his draft was stored may have lost the keys to a vacuum.
    kept_keys = stored and is_judged(stored) and stored["keys"]
    if (kept_keys and not log.store.exists(kept_keys)) or not is_safe():
        # Another process may have found it safe, earlier: then it stays.
        left = log.change(snapshot_id, lambda held: DELETED if is_judged(held) else None)
        if named and (left is None or left["keys"] != named):
            log.store.remove(named)
        return None
    return unless_draft(
        log.change(
            snapshot_id, lambda held: {**held, "is_draft": False} if held and is_judged(held) else None
        )
    )


def bytes_of(table: StepsTables, files: Sequence[str]) -> int:
    """Return the bytes of files, which need not be in the table's newest version."""
    sizes = {name: size for name, _, size in table.file_sizes()}
    total = 0
    for name in files:
        if name in sizes:
            total += sizes[name]
            continue
        with table.open(name) as file:
            total += file.size()
    return total


def _nothing(archive: ArchiveTables, choice: Choice) -> QueryError:
    if choice.part is not None:
        return QueryError(
            f"The part {choice.part.name!r} of {choice.part.of} would hold nothing: its episodes are few.",
            hint="Give it another share, or take another seed.",
        )
    said = " and ".join(map(repr, choice.texts))
    nothing = f"No step of {archive.name!r} meets {said}" if said else f"{archive.name!r} is empty"
    hint = "Ingest steps first, or widen the condition."
    asked = choice.episodes or ""
    if any(name in asked for name in AUDITED_COLUMNS) and not archive.is_audited:
        hint += " What audits find is there after the first: replaylake validate audit"
    return QueryError(f"{nothing}: a snapshot of nothing is not made.", hint=hint)
