"""The rules of a suite by their codes: to say of a row that changes its verdict what one of them finds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from validation import Expectation, Gate, Rule, Suite, compile_suite
from validation.expectation import Severity


class RulesByCode:
    """Know what of a suite judges rows, and find the text for rows that failed a rule.

    A code may stand for several rules: those that reject a row, and those that flag it, are told apart.
    """

    def __init__(self, suite: Suite, spec: ArchiveSpec) -> None:
        """Compile each expectation alone; raise SuiteError where one does not fit the archive."""
        self._spec = spec
        self._rules: dict[tuple[str, Severity], list[tuple[Expectation, Rule]]] = defaultdict(list)
        for expectation in suite.expectations:
            for rule in compile_suite(Suite(suite.name, (expectation,)), spec).rules:
                if rule.gate_severity != "info":
                    self._rules[rule.code, rule.gate_severity].append((expectation, rule))
        self._gates: dict[tuple[str, Severity], Gate] = {}

    def __len__(self) -> int:
        return sum(map(len, self._rules.values()))

    def reads(self, code: str, severity: Severity) -> list[str]:
        """Name the columns that the rules of a code read."""
        return list(dict.fromkeys(name for _, rule in self._rules[code, severity] for name in rule.reads))

    def says(self, code: str, severity: Severity, rows: pa.Table) -> list[str]:
        """Say of rows with the wire's columns what the rules of a code find wrong in each."""
        gate = self._gates.get((code, severity))
        if gate is None:
            strict = tuple(_rejecting(expectation) for expectation, _ in self._rules[code, severity])
            gate = self._gates[code, severity] = Gate(self._spec, Suite(code, strict))
        verdict = gate.judge(rows)
        said = iter(gate.describe(rows, verdict).to_pylist())
        return ["" if fits else next(said) for fits in verdict.accepted.tolist()]


def _rejecting(expectation: Expectation) -> Expectation:
    """Return the same rule as one that rejects: only of rejections does a gate say what was wrong."""
    kwargs: dict[str, Any] = {name: value for name, value in expectation.kwargs.items() if name != "mostly"}
    return replace(expectation, kwargs=kwargs, severity="critical")
