"""Which suites judged what landed in an archive, off the metadata of its commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lake.tables import ArchiveTables


@dataclass(frozen=True, slots=True)
class SuiteSpan:
    """Say of a run of commits to the steps that one suite judged them all; times are those of the commits."""

    suite_hash: str  # of the gate
    first_version: int
    last_version: int
    first_at: datetime
    last_at: datetime
    commits: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "suite_hash": self.suite_hash,
            "first_version": self.first_version,
            "last_version": self.last_version,
            "first_at": self.first_at.isoformat(),
            "last_at": self.last_at.isoformat(),
            "commits": self.commits,
        }


def suite_spans(archive: ArchiveTables) -> list[SuiteSpan]:
    """Return who judged the archive's steps, oldest first, as far back as the table's log goes.

    Commits that no gate judged, such as of steps that were appended as they are, belong to no span.
    """
    spans: list[SuiteSpan] = []
    for commit in archive.table("steps").commits():
        suite_hash = commit.get("replaylake.suite")
        if suite_hash is None:
            continue
        version, at = commit["version"], datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)
        if spans and spans[-1].suite_hash == suite_hash:
            last = spans.pop()
            first, since, commits = last.first_version, last.first_at, last.commits + 1
        else:
            first, since, commits = version, at, 1
        spans.append(SuiteSpan(suite_hash, first, version, since, at, commits))
    return spans
