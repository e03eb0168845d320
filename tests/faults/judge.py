"""The platform's whole opinion of a batch of steps: the gate with a proposed suite, and every audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.steps import Steps
from tests.faults.environments import World
from tests.faults.policies import Softmax
from validation import Gate, Rule, validate_experience
from validation.audits.reference import Reference
from validation.columns import Columns
from validation.compiler import compile_for
from validation.profiling.profile import profile_steps
from validation.profiling.proposal import propose_suite


class Saying(NamedTuple):
    """Name one thing that was said: by what, which check of it, about which column."""

    by: str
    check: str
    column: str | None


@dataclass(frozen=True)
class Said:
    """Hold what was said of some rows, how often, and of how many rows it was said at most."""

    rows: int
    concerned: int  # rows that the gate rejected or flagged, and those that audits found fault with
    sayings: Mapping[Saying, int]

    @property
    def whole(self) -> list[Saying]:
        """What was said of more than single rows."""
        return [saying for saying in self.sayings if saying.by not in ("gate", "outliers")]


class Judge:
    """Know a world's clean reference and its policy, and judge what comes after."""

    def __init__(self, world: World, reference: Steps) -> None:
        self._spec = world.spec
        self._reference = Reference(reference, world.spec)
        self._policy: Any = (
            world.policy.probabilities if isinstance(world.policy, Softmax) else world.policy.log_prob
        )
        self.suite = propose_suite(world.spec, profile_steps(reference.table, world.spec))
        self._columns = {rule.code: rule.column for rule in Gate(world.spec, self.suite).rules}
        compiled = compile_for(self.suite, Columns.of_archive(world.spec))
        self._per_row = [isinstance(one, Rule) and one.per_row for one in compiled]
        self._about = [getattr(one, "column", None) for one in compiled]

    def say(self, steps: Steps) -> Said:
        """Say everything that there is to say, infos left out."""
        report = validate_experience(
            steps, self._spec, self.suite, reference=self._reference, policy=self._policy
        )
        sayings: Counter[Saying] = Counter()
        for code, count in (*report.reasons.items(), *report.flags.items()):
            sayings[Saying("gate", code, self._columns[code])] += count
        concerned = report.rejected + report.flagged
        for finding in report.findings:
            if finding.severity == "info":
                continue
            sayings[Saying(finding.audit, finding.check, finding.column)] += max(1, finding.count)
            concerned += finding.count if finding.subject == "rows" else 0
        assert report.results is not None
        for result, column, per_row in zip(report.results.results, self._about, self._per_row, strict=True):
            if not result.success and result.expectation.severity != "info" and not per_row:
                count = result.result.get("unexpected_count", 1)
                sayings[Saying("suite", result.expectation.type, column)] += count
                concerned += count if "unexpected_count" in result.result else 0
        return Said(len(steps), concerned, sayings)
