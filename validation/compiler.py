"""The compiler: expectations and a spec in, rules out; what does not fit is an error before any row."""

from __future__ import annotations

from dataclasses import replace

from pydantic import ValidationError

from schemas.archive_spec import ArchiveSpec
from schemas.errors import SuiteError
from schemas.validation_text import first_problem
from validation.rules.registry import KINDS
from validation.rules.rule import Arguments, Kind, Rule, did_you_mean
from validation.suite import Expectation, Suite

# Kwargs of Great Expectations that say how to report, not what to judge.
_REPORTING = frozenset({"batch_id", "catch_exceptions", "include_config", "result_format"})


def compile_suite(suite: Suite, spec: ArchiveSpec) -> tuple[Rule, ...]:
    """Compile every expectation, in order.

    Raise SuiteError with the suite's name, the number of the rule (from 1) and the mend where a type, kwarg,
    column or value cannot be.
    """
    return tuple(
        _compile(suite.name, number, expectation, spec)
        for number, expectation in enumerate(suite.expectations, start=1)
    )


def _compile(name: str, number: int, expectation: Expectation, spec: ArchiveSpec) -> Rule:
    try:
        kind = KINDS.get(expectation.type)
        if kind is None:
            raise SuiteError("there is no such expectation.", hint=did_you_mean(expectation.type, KINDS))
        arguments = _arguments(kind, expectation)
        rule = kind.build(arguments, spec)
    except SuiteError as exc:
        raise SuiteError(
            f"Suite {name!r}, rule {number} ({expectation.type}): {exc.message}", hint=exc.hint
        ) from exc
    return replace(rule, severity=expectation.severity, mostly=arguments.mostly)


def _arguments(kind: Kind, expectation: Expectation) -> Arguments:
    known = list(kind.arguments.model_fields)
    given = {name: value for name, value in expectation.kwargs.items() if name not in _REPORTING}
    for name in given:
        if name not in known:
            raise SuiteError(f"it has no kwarg {name!r}.", hint=did_you_mean(name, sorted(known)))
    try:
        return kind.arguments.model_validate(given)
    except ValidationError as exc:
        raise SuiteError(
            f"{first_problem(exc)}.", hint=f"Its kwargs are: {', '.join(sorted(known))}."
        ) from exc
