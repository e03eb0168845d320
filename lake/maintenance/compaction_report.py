"""What a compaction did, table by table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class TableCompaction:
    """Count what became of the files of one table; those that stayed as they were do not count."""

    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows_before: int = 0
    rows_after: int = 0
    duplicates: int = 0  # rows that said again what another one says
    conflicts: int = 0  # rows that said something else under a key that was taken: they are in quarantine
    superseded: int = 0  # what earlier audits said of episodes
    commits: int = 0
    refused: int = 0  # commits before which another rewrite came: what they were of was looked at again

    def add(self, other: TableCompaction) -> None:
        """Count what another one counts, too."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass(slots=True)
class CompactionReport:
    """Say what a compaction of an archive did; in a dry run `before` is what it would have rewritten."""

    archive: str
    dry_run: bool = False
    tables: dict[str, TableCompaction] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON-ready values."""
        return asdict(self)
