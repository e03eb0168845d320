"""Erasure: take rows out of an archive for good, wherever they stand, and keep them out.

First the tombstone is written: from then on the erasure is decided, and whoever comes after a kill carries it
out. See `ErasureRun` for how.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lake.maintenance.erasure_plan import ErasurePlan
from lake.maintenance.erasure_report import ErasureReport, begun_report
from lake.maintenance.erasure_run import ErasureRun
from lake.maintenance.tombstones import Tombstones
from lake.tables import ArchiveTables
from schemas.errors import CommitConflictError, StorageError

_ATTEMPTS = 20  # each is another erasure that took the number


def erase(archive: ArchiveTables, plan: ErasurePlan, cache_folder: Path | None = None) -> ErasureReport:
    """Decide an erasure, and carry it out; `cache_folder` is where this machine keeps what it can make again.

    Killed at any line it is either not decided, and nothing was changed, or `resume_erasures` finishes it.
    """
    tombstones = Tombstones(archive)
    tombstones.write_lists(plan.tombstone.listed or "", plan.lists)
    for _ in range(_ATTEMPTS):
        numbers = tombstones.numbers()
        until, now = plan.tombstone.until, datetime.now(UTC)
        tombstone = replace(
            plan.tombstone,
            number=numbers[-1] + 1 if numbers else 0,
            made_at=now,
            until=None if until is None else max(until, now),  # who was asked took his time
        )
        try:
            tombstones.write(tombstone, plan.to_dict())
        except CommitConflictError:
            continue
        return ErasureRun(archive, tombstone, plan.to_dict(), cache_folder).finish()
    raise StorageError(
        f"Other erasures of {archive.name!r} were decided {_ATTEMPTS} times at this moment.",
        hint="Try again.",
    )


def resume_erasures(archive: ArchiveTables, cache_folder: Path | None = None) -> list[ErasureReport]:
    """Finish every erasure that is decided and not done, oldest first."""
    tombstones = Tombstones(archive)
    done = []
    for tombstone in tombstones.read():
        if tombstones.report(tombstone.number) is None:
            touched = tombstones.touched(tombstone.number)
            done.append(ErasureRun(archive, tombstone, touched, cache_folder).finish())
    tombstones.clean()
    return done


def list_erasures(archive: ArchiveTables) -> list[dict[str, Any]]:
    """Return the report of each erasure, oldest first; one that is not done has no `finished_at`."""
    tombstones = Tombstones(archive)
    found = []
    for tombstone in tombstones.read():
        report = tombstones.report(tombstone.number)
        if report is None:
            touched = tombstones.touched(tombstone.number)
            report = begun_report(archive, tombstone, touched).to_dict()
        found.append(report)
    return found
