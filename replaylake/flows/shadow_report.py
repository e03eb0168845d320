"""What a shadow of a suite says: which rows another suite would judge otherwise, and by which rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Change = Literal["newly_rejected", "newly_accepted", "newly_flagged", "no_longer_flagged"]
CHANGES: tuple[Change, ...] = get_args(Change)


@dataclass(frozen=True, slots=True)
class SuiteSaid:
    """Say which suite judges: its name, the hash of its gate, and how many of its rules judge a row."""

    name: str
    hash: str
    rules: int
    audits: int  # expectations that judge no row: aggregates and those of severity info

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"name": self.name, "hash": self.hash, "rules": self.rules, "audits": self.audits}


@dataclass(frozen=True, slots=True)
class ShadowExample:
    """Show a row that is judged otherwise."""

    row: str  # topic/partition/offset/row; empty where it came by no stream
    key: Mapping[str, Any]
    values: Mapping[str, Any]  # of the columns that the rule reads
    says: str  # what was wrong, by the suite that says so

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, but for times and bytes."""
        return {"row": self.row, "key": dict(self.key), "values": dict(self.values), "says": self.says}


@dataclass(slots=True)
class RuleChange:
    """Count the rows that one rule judges otherwise, in one way.

    A rule of the present suite accepts or flags no longer, one of the proposed rejects or flags newly.
    """

    change: Change
    code: str
    rows: int = 0
    examples: list[ShadowExample] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, but for times and bytes in examples."""
        return {
            "change": self.change,
            "code": self.code,
            "rows": self.rows,
            "examples": [example.to_dict() for example in self.examples],
        }


@dataclass(slots=True)
class ShadowReport:
    """Count what would be judged otherwise; a row counts under each rule that changed its verdict."""

    archive: str
    present: SuiteSaid
    proposed: SuiteSaid
    since: int  # the version of the steps after which rows were looked at; -1: no matter when they landed
    version: int  # and the one up to which
    steps: int = 0  # rows judged that lie in the steps table
    quarantined: int = 0  # and those that lie in quarantine
    unjudged: int = 0  # rows of quarantine that no suite refused, or that did not decode
    accepted: dict[str, int] = field(default_factory=lambda: {"present": 0, "proposed": 0})
    flagged: dict[str, int] = field(default_factory=lambda: {"present": 0, "proposed": 0})
    quality_sum: dict[str, float] = field(default_factory=lambda: {"present": 0.0, "proposed": 0.0})
    totals: dict[Change, int] = field(default_factory=lambda: dict.fromkeys(CHANGES, 0))
    by_rule: dict[tuple[Change, str], RuleChange] = field(default_factory=dict)

    @property
    def judged(self) -> int:
        """The rows that were judged by both."""
        return self.steps + self.quarantined

    @property
    def changes(self) -> list[RuleChange]:
        """The rules that judge otherwise: by kind of change, those of most rows first."""
        return sorted(self.by_rule.values(), key=lambda one: (CHANGES.index(one.change), -one.rows, one.code))

    @property
    def quality(self) -> dict[str, float | None]:
        """The mean score of the rows that each suite accepts."""
        return {
            name: self.quality_sum[name] / count if count else None for name, count in self.accepted.items()
        }

    def change(self, change: Change, code: str) -> RuleChange:
        """Return the count of a rule's change."""
        return self.by_rule.setdefault((change, code), RuleChange(change, code))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, but for times and bytes in examples."""
        return {
            "archive": self.archive,
            "present": self.present.to_dict(),
            "proposed": self.proposed.to_dict(),
            "since": self.since,
            "version": self.version,
            "judged": self.judged,
            "steps": self.steps,
            "quarantined": self.quarantined,
            "unjudged": self.unjudged,
            "accepted": dict(self.accepted),
            "flagged": dict(self.flagged),
            "quality": self.quality,
            "totals": dict(self.totals),
            "changes": [change.to_dict() for change in self.changes],
        }
