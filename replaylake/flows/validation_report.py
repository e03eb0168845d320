"""The report of an archive's validation: its last audit, those before it, and the suites that judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lake import Lake
from lake.suite_log import SuiteSpan, suite_spans
from replaylake.flows.auditing import audit_history, last_audit
from replaylake.flows.suite_watch import SuiteWatch
from schemas.errors import NotFoundError, StorageError, SuiteError
from validation.audits.report import AuditReport


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """Hold what is known of an archive's steps and of who judged them."""

    latest: AuditReport
    history: tuple[AuditReport, ...]  # of the audits that moved on, oldest first
    suites: tuple[SuiteSpan, ...]  # that judged the steps, oldest first
    suite_name: str  # of the archive's suite of now; empty where it has none
    suite_hash: str  # of the gate of now; empty where its suite does not compile

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values: the last audit whole, and of those before the counts."""
        counts = ("version", "since", "rows", "quarantined", "episodes", "complete_episodes", "quality")
        return {
            "archive": self.latest.archive,
            "suite": {"name": self.suite_name, "hash": self.suite_hash},
            "latest": self.latest.to_dict(),
            "history": [
                {
                    **{name: getattr(one, name) for name in counts},
                    "made_at": one.made_at.isoformat(),
                    "suite_name": one.suite_name,
                    "rejects": dict(one.rejects),
                    "flags": dict(one.flags),
                    "findings": count_severities(one),
                }
                for one in self.history
            ],
            "suites": [span.to_dict() for span in self.suites],
        }


def validation_report(lake: Lake, name: str) -> ValidationReport:
    """Gather what is known of an archive; raise NotFoundError where it was never audited."""
    archive = lake.archive(name)
    latest = last_audit(lake, name)
    if latest is None:
        raise NotFoundError("audit of the archive", name, hint=f"Run: replaylake validate audit {name}")
    try:
        gate = SuiteWatch(archive).gate
        suite_name, suite_hash = gate.suite.name if archive.suite else "", gate.suite_hash
    except (SuiteError, StorageError):  # a report is there to look at what is wrong
        suite_name, suite_hash = "", ""
    return ValidationReport(
        latest, tuple(audit_history(lake, name)), tuple(suite_spans(archive)), suite_name, suite_hash
    )


def count_severities(report: AuditReport) -> dict[str, int]:
    """Count an audit's findings by severity."""
    found = {"critical": 0, "warning": 0, "info": 0}
    for finding in report.findings:
        found[finding.severity] += 1
    return found
