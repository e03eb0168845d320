"""All audits over steps: what they say of the rows, of whole episodes, and beside a clean reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from validation.audits.agents import check_agents
from validation.audits.clock import check_clock
from validation.audits.constraints import apply_constraints
from validation.audits.coverage import check_coverage
from validation.audits.drift import check_drift
from validation.audits.duplicates import check_duplicates
from validation.audits.endings import check_endings
from validation.audits.finding import Finding
from validation.audits.identities import check_identities
from validation.audits.levels import check_levels
from validation.audits.outliers import Method, detect_outliers
from validation.audits.propensities import Policy, check_propensities
from validation.audits.reference import Reference
from validation.audits.relations import check_relations
from validation.audits.sensors import check_sensors
from validation.audits.variance import check_variance


@dataclass(frozen=True, slots=True)
class Known:
    """Say what is known beside the steps, and what is asked of them."""

    reference: pa.Table | Reference | None = None  # clean steps
    policy: Policy | None = None  # that acted
    constraints: Mapping[str, str] = field(default_factory=dict)  # by name
    names: Mapping[str, str] = field(default_factory=dict)  # of elements, in the constraints
    outliers: Method | None = "mad"


def audit_steps(steps: pa.Table, whole: pa.Table, spec: ArchiveSpec, known: Known) -> list[Finding]:
    """Return what audits find, but for those of the table of episodes.

    `whole` has all rows of the episodes that the steps are of. What looks at how steps follow one another
    is given those; what counts, the steps.
    """
    given = known.reference
    before = Reference(given, spec) if isinstance(given, pa.Table) else given
    reference = None if before is None else before.steps
    found = [
        *check_agents(whole, spec),
        *apply_constraints(whole, known.constraints, spec, names=known.names),
        *check_duplicates(whole, spec, reference),
        *check_propensities(steps, spec, known.policy),
        *check_coverage(steps, spec, reference=reference),
        *check_variance(steps, spec, reference=reference),
    ]
    if known.outliers is not None and steps.num_rows:
        found += detect_outliers(steps, spec=spec, method=known.outliers, reference=reference).findings
    if before is not None and reference is not None and reference.num_rows:
        found += check_drift(reference, steps, spec)
        found += before.dynamics.check(whole)
        found += check_sensors(reference, whole, spec)
        found += check_relations(reference, whole, spec)
        found += check_endings(reference, whole, spec)
        found += check_clock(reference, whole)
        found += check_levels(reference, whole, spec)
        found += check_identities(reference, whole)
    return found
