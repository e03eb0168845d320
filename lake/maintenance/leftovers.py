"""Files that somebody died writing: they are under names of their own, and nobody will ever end them."""

from __future__ import annotations

from datetime import UTC, datetime

from lake.stores import Store
from lake.stores.local import PARTIAL, LocalStore


def remove_partial_files(store: Store, before: datetime, dry_run: bool) -> int:
    """Remove what was left half written in a store before a time; return how many files it was.

    Only a folder on a disk has such files: S3 shows an object once it is whole.
    """
    if not isinstance(store, LocalStore):
        return 0
    found = 0
    for path in store.folder.rglob(f"{PARTIAL}*"):
        try:
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) > before:
                continue
        except FileNotFoundError:  # its writer was not dead
            continue
        found += 1
        if not dry_run:
            path.unlink(missing_ok=True)
    return found
