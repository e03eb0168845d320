"""The report of an audit: what was looked at, and what all its parts had to say, as one JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from validation.audits.finding import Finding
from validation.results import json_value

SEVERITIES = ("critical", "warning", "info")  # worst first


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Hold what an audit found in the steps that landed in an archive after one version, up to another.

    Everything in it is a JSON value but `made_at` and the findings, which `to_dict` turns into some.
    """

    archive: str
    version: int  # of the steps table that was looked up to
    since: int  # the version after which it looked; -1 for all
    made_at: datetime  # UTC
    suite_name: str
    suite_hash: str
    rows: int  # steps that landed since
    quarantined: int  # rows that quarantine took since
    episodes: int  # that those steps are of, whole
    complete_episodes: int
    rejects: Mapping[str, int] = field(default_factory=dict)  # reason -> rows that quarantine took since
    flags: Mapping[str, int] = field(default_factory=dict)  # code -> rows that landed with it
    quality: float | None = None  # the mean score of the rows that landed
    findings: tuple[Finding, ...] = ()  # worst first
    results: Mapping[str, Any] | None = None  # of the suite over the new rows, as SuiteResult.to_dict()
    # leaf -> {"edges": [...], "current": [...], "reference": [...] | None}, counts between the edges
    distributions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    # key columns, return, length, flags, and "rows": some of their steps in short form; worst first
    worst_episodes: tuple[Mapping[str, Any], ...] = ()
    reference: str | None = None  # the snapshot that was compared with
    looked_at: int = 0  # new steps that the statistics are of: all, or whole episodes among them

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values from which `from_dict` makes an equal report."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        findings = [finding.to_dict() for finding in self.findings]
        made: dict[str, Any] = json_value({**plain, "findings": findings})
        return made

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> AuditReport:
        """Read what `to_dict` made; keys that a later version of it may have are left out."""
        known = {name: value for name, value in mapping.items() if name in cls.__slots__}
        findings = (Finding(**one | {"examples": tuple(one["examples"])}) for one in mapping["findings"])
        return cls(
            **known
            | {
                "made_at": datetime.fromisoformat(mapping["made_at"]),
                "findings": tuple(findings),
                "worst_episodes": tuple(mapping["worst_episodes"]),
            }
        )


def worst_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Order findings by severity, and by the share of what they are about within one."""
    return tuple(
        sorted(
            findings,
            key=lambda one: (SEVERITIES.index(one.severity), -(one.count / one.total if one.total else 0)),
        )
    )
