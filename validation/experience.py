"""Validate experience that lies in memory: what the gate says of its rows, and what audits find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.archive_spec import ArchiveSpec
from schemas.step import DATE_FIELD, GATE_FIELDS, LINEAGE_FIELDS, PROPENSITY_ALIAS
from schemas.steps import Steps
from validation.audits.audit import Known, audit_steps
from validation.audits.episode_checks import check_episodes
from validation.audits.episodes import episode_table
from validation.audits.finding import Finding
from validation.audits.outliers import Method
from validation.audits.propensities import Policy
from validation.audits.reference import Reference
from validation.audits.report import worst_first
from validation.gate import Gate
from validation.results import SuiteResult, json_value
from validation.suite import Suite
from validation.tables import read_rows

_LANDED = frozenset(field.name for field in (*GATE_FIELDS, *LINEAGE_FIELDS, DATE_FIELD))


@dataclass(frozen=True, slots=True)
class ExperienceReport:
    """Hold what was found: how the gate would judge the rows one by one, and what they show together."""

    rows: int
    accepted: int
    flagged: int  # of those accepted
    rejected: int
    reasons: Mapping[str, int] = field(default_factory=dict)  # of what is rejected, by code
    flags: Mapping[str, int] = field(default_factory=dict)  # likewise
    quality: float | None = None  # the mean score; None of no rows
    findings: tuple[Finding, ...] = ()  # worst first
    results: SuiteResult | None = None  # of the suite over all rows, its aggregates too

    @property
    def success(self) -> bool:
        """Whether no row is rejected, nothing critical was found, and no critical expectation is unmet."""
        unmet = [one.expectation for one in self.results.results if not one.success] if self.results else []
        wrong = [rule.severity for rule in unmet] + [finding.severity for finding in self.findings]
        return not self.rejected and "critical" not in wrong

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        held = {name: getattr(self, name) for name in self.__slots__}
        held["findings"] = [finding.to_dict() for finding in self.findings]
        held["results"] = self.results.to_dict() if self.results else None
        made: dict[str, Any] = json_value({"success": self.success, **held})
        return made


def validate_experience(
    steps: Any,
    spec: ArchiveSpec,
    suite: Suite | None = None,
    *,
    reference: Any = None,
    policy: Policy | None = None,
    constraints: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    outliers: Method | None = "mad",
) -> ExperienceReport:
    """Judge steps by the archive's own rules and a suite, and audit all of them, accepted or not.

    Steps are a `Steps`, or a table of Arrow, Polars or pandas with the spec's columns, whole episodes if
    possible. `reference` is a like table of experience that is known to be good, or a `Reference`, which
    learns from it once for many calls; much can be told only beside one. `policy`, `constraints` and `names`
    are as for `check_propensities` and `apply_constraints`.

    Raise StepsError for rows that do not follow the spec, and SuiteError for a suite that does not.
    """
    rows = steps_of(steps, spec)
    if reference is not None and not isinstance(reference, Reference):
        reference = Reference(steps_of(reference, spec), spec)
    known = Known(
        reference,
        policy,
        constraints or {},
        names or {},
        outliers,
    )
    verdict = Gate(spec, suite).judge(rows)
    accepted = int(np.count_nonzero(verdict.accepted))
    findings = [*check_episodes(episode_table(rows, spec)), *audit_steps(rows, rows, spec, known)]
    return ExperienceReport(
        rows=rows.num_rows,
        accepted=accepted,
        flagged=int(np.count_nonzero(np.asarray(pc.list_value_length(verdict.flags)) * verdict.accepted)),
        rejected=rows.num_rows - accepted,
        reasons=_counted(verdict.reasons),
        flags=_counted(verdict.flags),
        quality=float(verdict.quality.mean()) if rows.num_rows else None,
        findings=worst_first(findings),
        results=None if suite is None else suite.validate(rows, "SUMMARY", spec=spec),
    )


def steps_of(given: Any, spec: ArchiveSpec) -> pa.Table:
    """Return the wire columns of steps, also of such as have landed; raise StepsError where they are none."""
    if isinstance(given, Steps):
        return given.table
    rows = read_rows(given)
    made = _LANDED if "action_log_prob" not in rows.column_names else _LANDED | {PROPENSITY_ALIAS}
    return Steps(rows.select([name for name in rows.column_names if name not in made]), spec).table


def _counted(codes: pa.ListArray) -> dict[str, int]:
    return dict(Counter(pc.list_flatten(codes).to_pylist()).most_common())
