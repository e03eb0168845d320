"""What a suite says of steps together: the expectations that no gate can judge row by row."""

from __future__ import annotations

import numbers
from collections.abc import Iterator

import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from validation.audits.finding import Finding
from validation.columns import Columns
from validation.compiler import Compiled, Misfit, compile_for
from validation.results import Result, SuiteResult
from validation.rules.rule import Rule
from validation.suite import Suite


def judge_together(suite: Suite, steps: pa.Table, spec: ArchiveSpec) -> tuple[SuiteResult, list[Finding]]:
    """Return the results of all expectations, and findings of those that judge no single row and are not met.

    What judges single rows has judged them at the gate, when they came.
    """
    results = suite.validate(steps, "SUMMARY", spec=spec)
    compiled = compile_for(suite, Columns(steps.schema, spec))
    pairs = zip(results.results, compiled, strict=True)
    return results, list(_findings((result, one) for result, one in pairs if not result.success))


def _findings(failed: Iterator[tuple[Result, Compiled]]) -> Iterator[Finding]:
    for result, one in failed:
        rule, told = result.expectation, result.result
        if isinstance(one, Rule) and one.per_row and not result.error:
            continue
        count, total = told.get("unexpected_count", 0), told.get("element_count", 0)
        observed = told.get("observed_value")
        if result.error:
            said = result.error
        elif isinstance(one, Rule):
            said = f"{count:,} of {total:,} rows do not meet {rule.type}."
        else:
            said = f"{rule.type} is not met" + (
                f": {observed!r} was observed." if observed is not None else "."
            )
        yield Finding(
            "suite",
            rule.type,
            (one.error.column if isinstance(one, Misfit) else one.column) or rule.kwargs.get("column"),
            rule.severity,
            said,
            count=count,
            total=total,
            subject="rows" if isinstance(one, Rule) else "columns",
            value=float(observed) if isinstance(observed, numbers.Real) else None,
        )
