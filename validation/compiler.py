"""The compiler: expectations and columns in, rules and measures out. What cannot be is an error at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from schemas.archive_spec import ArchiveSpec
from schemas.errors import SuiteError
from schemas.validation_text import first_problem
from validation.columns import ColumnError, Columns, did_you_mean
from validation.conditions import Condition, read_condition
from validation.expectation import Expectation, Expectations
from validation.rules.known import kinds
from validation.rules.rule import Arguments, Kind, Measure, Rule, RuleArguments

# Kwargs of Great Expectations that say how to report, not what to judge.
_REPORTING = frozenset({"batch_id", "catch_exceptions", "include_config", "result_format"})
_CONDITION = frozenset({"row_condition", "condition_parser"})


@dataclass(frozen=True, slots=True)
class Misfit:
    """Say why an expectation does not fit the columns, and of which rows it would have been."""

    error: ColumnError
    condition: Condition | None


Compiled = Rule | Measure | Misfit


@dataclass(frozen=True, slots=True)
class CompiledSuite:
    """Tell what a gate judges row by row from what only an audit over many rows can say."""

    rules: tuple[Rule, ...]
    audits: tuple[Rule | Measure, ...]


def compile_suite(suite: Expectations, spec: ArchiveSpec) -> CompiledSuite:
    """Compile every expectation for an archive's gate, in order.

    Raise SuiteError with the suite's name, the number of the rule (from 1) and the mend where a type, kwarg,
    column or value cannot be.
    """
    compiled = compile_for(suite, Columns.of_archive(spec))
    for one in compiled:
        if isinstance(one, Misfit):
            raise one.error
    judging = [one for one in compiled if not isinstance(one, Misfit)]
    rules = tuple(one for one in judging if isinstance(one, Rule) and one.per_row)
    return CompiledSuite(rules, tuple(one for one in judging if not (isinstance(one, Rule) and one.per_row)))


def compile_for(suite: Expectations, columns: Columns) -> tuple[Compiled, ...]:
    """Compile every expectation, in order; one that does not fit the columns is a Misfit among them.

    Raise SuiteError where an expectation could not be for any columns.
    """
    known = kinds()
    return tuple(
        _compile(suite.name, number, expectation, columns, known)
        for number, expectation in enumerate(suite.expectations, start=1)
    )


def _compile(
    name: str, number: int, expectation: Expectation, columns: Columns, known: Mapping[str, Kind]
) -> Compiled:
    where = f"Suite {name!r}, rule {number} ({expectation.type})"
    condition = None
    try:
        kind = known.get(expectation.type)
        if kind is None:
            raise SuiteError("there is no such expectation.", hint=did_you_mean(expectation.type, known))
        arguments = _arguments(kind, expectation)
        condition = read_condition(expectation.kwargs, columns)
        compiled = kind.build(arguments, columns)
    except ColumnError as exc:
        return Misfit(ColumnError(f"{where}: {exc.message}", hint=exc.hint, column=exc.column), condition)
    except SuiteError as exc:
        raise SuiteError(f"{where}: {exc.message}", hint=exc.hint) from exc
    if isinstance(compiled, Measure):
        return replace(compiled, severity=expectation.severity, condition=condition)
    mostly = arguments.mostly if isinstance(arguments, RuleArguments) else 1.0
    by_name = "column_list" in kind.arguments.model_fields
    return replace(
        compiled, severity=expectation.severity, mostly=mostly, condition=condition, by_name=by_name
    )


def _arguments(kind: Kind, expectation: Expectation) -> Arguments:
    known = list(kind.arguments.model_fields)
    passed_by = _REPORTING | _CONDITION
    given = {name: value for name, value in expectation.kwargs.items() if name not in passed_by}
    for name in given:
        if name not in known and kind.arguments.model_config.get("extra") != "allow":
            raise SuiteError(f"it has no kwarg {name!r}.", hint=did_you_mean(name, sorted(known)))
    try:
        return kind.arguments.model_validate(given)
    except ValidationError as exc:
        raise SuiteError(
            f"{first_problem(exc)}.", hint=f"Its kwargs are: {', '.join(sorted(known))}."
        ) from exc
