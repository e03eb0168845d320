"""The report of an erasure, which is kept: it names tables, snapshots and pins, and nobody else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lake.maintenance.tombstone import Tombstone
from lake.tables import ArchiveTables


@dataclass(slots=True)
class ErasureReport:
    """Say what an erasure took, and from where; it is kept, with no data in it."""

    archive: str
    number: int
    reason: str
    made_at: datetime
    finished_at: datetime | None
    touched: dict[str, Any]  # what the plan found
    removed_files: int = 0
    remains: list[str] = field(default_factory=list)  # what nobody here can erase

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        finished = None if self.finished_at is None else self.finished_at.isoformat()
        return {
            "archive": self.archive,
            "number": self.number,
            "reason": self.reason,
            "made_at": self.made_at.isoformat(),
            "finished_at": finished,
            "touched": self.touched,
            "removed_files": self.removed_files,
            "remains": list(self.remains),
        }


def begun_report(archive: ArchiveTables, tombstone: Tombstone, touched: dict[str, Any]) -> ErasureReport:
    """Return the report of an erasure that is decided and not done."""
    return ErasureReport(archive.name, tombstone.number, tombstone.reason, tombstone.made_at, None, touched)
