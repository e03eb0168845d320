"""Findings: what an audit has to say, in one shape for terminals, pages and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from validation.expectation import Severity

Subject = Literal["rows", "episodes", "values", "columns"]
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Say one thing that is wrong, or odd, with landed experience: about which column, and how much of it."""

    audit: str  # which audit says so, such as "episodes" or "drift"
    check: str  # short and stable, such as "gap" or "psi"
    column: str | None  # where it is about one: its name, with an element or a field as `observation[2]`
    severity: Severity
    message: str  # one line for people, with the figures
    count: int = 0  # how many are concerned, of what `subject` names
    total: int = 0  # of how many
    subject: Subject = "rows"
    value: float | None = None  # the figure that was measured, where there is one
    threshold: float | None = None  # and the one that it passed
    examples: Sequence[Mapping[str, Any]] = field(default_factory=tuple)  # keys and values of the worst, few

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "audit": self.audit,
            "check": self.check,
            "column": self.column,
            "severity": self.severity,
            "message": self.message,
            "count": self.count,
            "total": self.total,
            "subject": self.subject,
            "value": self.value,
            "threshold": self.threshold,
            "examples": [dict(example) for example in self.examples[:_SHOWN]],
        }
