"""What an ingest run did, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class IngestReport:
    """Count what landed, what was refused and why, and what was there already.

    Rows are counted when their commit is done. A row with several reasons counts under each.
    """

    accepted: int = 0
    quarantined: int = 0
    duplicates: int = 0
    erased: int = 0  # an erasure keeps them out for good
    flagged: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    commits: int = 0
    conflicts: int = 0  # commits that another worker was faster with; their rows were read again

    def add(self, other: IngestReport) -> None:
        """Add what another run did."""
        self.accepted += other.accepted
        self.quarantined += other.quarantined
        self.duplicates += other.duplicates
        self.erased += other.erased
        self.flagged += other.flagged
        self.reasons.update(other.reasons)
        self.commits += other.commits
        self.conflicts += other.conflicts

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON-ready values."""
        return {
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            "reasons": dict(self.reasons.most_common()),
            "duplicates": self.duplicates,
            "erased": self.erased,
            "flagged": self.flagged,
            "commits": self.commits,
            "conflicts": self.conflicts,
        }

    def __str__(self) -> str:
        lines = [
            f"{self.accepted:,} accepted, {self.quarantined:,} quarantined, {self.duplicates:,} duplicates"
        ]
        if self.erased:
            lines[0] += f", {self.erased:,} erased before"
        lines.extend(f"  {count:>9,}  {reason}" for reason, count in self.reasons.most_common())
        return "\n".join(lines)
