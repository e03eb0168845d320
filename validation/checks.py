"""Checks: a suite judges a whole table, and says what Great Expectations would say."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from schemas.archive_spec import ArchiveSpec
from schemas.errors import SuiteError
from validation.chosen import Chosen, Rows, choose
from validation.columns import ColumnError, Columns
from validation.compiler import Compiled, Misfit, compile_for
from validation.conditions import Condition
from validation.expectation import Expectation, Expectations
from validation.results import (
    Failures,
    Format,
    Result,
    ResultFormat,
    SuiteResult,
    describe_failures,
    json_value,
)
from validation.rules.registered import registered_kinds
from validation.rules.rule import Measure, Rule
from validation.tables import Table, read_table

_KEPT = 8  # compiled forms of a suite
_NONE: Rows = np.empty(0, np.int64)


class Checks:
    """Hold a suite that was compiled for the columns of tables, to judge many of them."""

    def __init__(self, suite: Expectations, columns: Columns) -> None:
        """Compile; raise SuiteError where an expectation could not be for any columns."""
        self._suite = suite
        self._compiled = compile_for(suite, columns)
        self._groups = _by_condition(self._compiled)

    def run(self, table: Table, wanted: ResultFormat) -> SuiteResult:
        """Judge a table with these columns, in one pass for each row condition."""
        found: dict[int, Result] = {}
        for group in self._groups:
            chosen = choose(table, group.condition)
            found |= self._run_rules(group.rules, chosen, wanted)
            found |= self._run_measures(group.measures, chosen, wanted)
            found |= self._excuse(group.misfits, chosen, wanted)
        results = [
            found[place] if place in found else Result(expectation, False, error=_message(one))
            for place, (expectation, one) in enumerate(
                zip(self._suite.expectations, self._compiled, strict=True)
            )
        ]
        return SuiteResult(self._suite, tuple(results))

    def _excuse(self, misfits: Mapping[int, str], chosen: Chosen, wanted: ResultFormat) -> dict[int, Result]:
        """Let pass what does not fit the type of a column that has no values."""
        results = {}
        for place, column in misfits.items():
            values = chosen.frame[column]
            if (values.fill_nan(None) if values.dtype.is_float() else values).count():
                continue
            vacuous = Rule("", column, pl.lit(None), (column,), lambda _: [])
            judged = pl.repeat(None, len(values), dtype=pl.Boolean, eager=True)
            results[place] = _result(self._suite.expectations[place], vacuous, judged, chosen, wanted)
        return results

    def _run_rules(
        self, rules: Mapping[int, Rule], chosen: Chosen, wanted: ResultFormat
    ) -> dict[int, Result]:
        if not rules:
            return {}
        frame, broken = _with_masks(rules.values(), chosen)
        sound = {
            place: rule.expression
            for place, rule in rules.items()
            if not any(mask.name in broken for mask in rule.masks)
        }
        judged, errors = _select(frame, sound)
        for place, rule in rules.items():
            if place not in sound:
                errors[place] = next(broken[mask.name] for mask in rule.masks if mask.name in broken)
        results = {}
        for place, rule in rules.items():
            expectation = self._suite.expectations[place]
            if place in errors:
                results[place] = Result(expectation, False, error=errors[place])
                continue
            results[place] = _result(expectation, rule, judged[place], chosen, wanted)
        return results

    def _run_measures(
        self, measures: Mapping[int, Measure], chosen: Chosen, wanted: ResultFormat
    ) -> dict[int, Result]:
        parts = {
            (place, name): expression
            for place, measure in measures.items()
            for name, expression in measure.expressions.items()
        }
        values, errors = _select(chosen.frame, parts) if parts else ({}, {})
        results = {}
        for place, measure in measures.items():
            expectation = self._suite.expectations[place]
            failed = next(
                (errors[place, name] for name in measure.expressions if (place, name) in errors), ""
            )
            if failed:
                results[place] = Result(expectation, False, error=failed)
                continue
            held = {name: values[place, name].to_list()[0] for name in measure.expressions}
            try:
                observed = measure.judge(held)
            except ColumnError as exc:
                results[place] = Result(expectation, False, error=exc.message)
                continue
            told: dict[str, Any] = {}
            if wanted.format is not Format.BOOLEAN_ONLY:
                told = {"observed_value": json_value(observed.value)} if observed.shows_value else {}
                told |= json_value(dict(observed.beside))
                if observed.details is not None:
                    told["details"] = json_value(dict(observed.details))
            results[place] = Result(expectation, observed.success, told)
        return results


def check_table(
    suite: Expectations,
    given: Any,
    result_format: str | Mapping[str, Any],
    spec: ArchiveSpec | None,
    kept: dict[Any, Checks],
) -> SuiteResult:
    """Judge a table of Arrow, Polars or pandas; see `Suite.validate`. `kept` holds the suite as compiled."""
    table = read_table(given)
    wanted = ResultFormat.of(result_format)
    for column in wanted.index_columns:
        _columns(table, spec).type_of(column)
    return _compiled(suite, table, spec, kept).run(table, wanted)


def _compiled(suite: Expectations, table: Table, spec: ArchiveSpec | None, kept: dict[Any, Checks]) -> Checks:
    """Compile a suite once for tables of the same columns: compiling costs more than to judge a few rows."""
    registered = tuple(kind.identity for kind in registered_kinds().values())
    described = spec.hash if spec else ""
    key = (tuple(table.frame.schema.items()), table.objects, *table.unreadable.items(), described, registered)
    if key not in kept:
        while len(kept) >= _KEPT:
            del kept[next(iter(kept))]
        kept[key] = Checks(suite, _columns(table, spec))
    return kept[key]


def _columns(table: Table, spec: ArchiveSpec | None) -> Columns:
    return Columns(table.schema, spec, unreadable=table.unreadable, objects=table.objects)


@dataclass(frozen=True, slots=True)
class _Group:
    """Hold what is judged over the same rows, by its place in the suite."""

    condition: Condition | None
    rules: Mapping[int, Rule]
    measures: Mapping[int, Measure]
    misfits: Mapping[int, str]  # the columns whose type does not fit


def _by_condition(compiled: Iterable[Compiled]) -> list[_Group]:
    def text(pair: tuple[int, Compiled]) -> str:
        condition = pair[1].condition
        return "" if condition is None else condition.text

    placed = [
        (place, one) for place, one in enumerate(compiled) if not isinstance(one, Misfit) or one.error.column
    ]
    groups = []
    for _, members in itertools.groupby(sorted(placed, key=text), key=text):
        held = list(members)
        rules = {place: one for place, one in held if isinstance(one, Rule)}
        measures = {place: one for place, one in held if isinstance(one, Measure)}
        misfits = {place: one.error.column for place, one in held if isinstance(one, Misfit)}
        groups.append(_Group(held[0][1].condition, rules, measures, misfits))
    return groups


def _select(
    frame: pl.DataFrame, expressions: Mapping[Any, pl.Expr]
) -> tuple[dict[Any, pl.Series], dict[Any, str]]:
    """Evaluate all in one pass; where that fails, one by one, to find which it is."""
    named = {
        key: expression.alias(str(number)) for number, (key, expression) in enumerate(expressions.items())
    }
    try:
        held = frame.select(list(named.values()))
        return dict(zip(named, held, strict=True)), {}
    except pl.exceptions.PolarsError:
        values, errors = {}, {}
        for key, expression in named.items():
            try:
                values[key] = frame.select(expression).to_series()
            except pl.exceptions.PolarsError as exc:
                errors[key] = f"It could not be computed: {str(exc).partition(chr(10))[0]}."
        return values, errors


def _with_masks(rules: Iterable[Rule], chosen: Chosen) -> tuple[pl.DataFrame, dict[str, str]]:
    """Add the masks of rules to the rows; of one that breaks, tell why instead."""
    made, broken = [], {}
    masks = {mask.name: mask for rule in rules for mask in rule.masks}
    rows = chosen.rows if masks else None
    for name, mask in masks.items():
        try:
            made.append(pl.Series(name, mask.judge(rows)))
        except SuiteError as exc:
            broken[name] = exc.message
    return chosen.frame.with_columns(made) if made else chosen.frame, broken


def _result(
    expectation: Expectation, rule: Rule, judged: pl.Series, chosen: Chosen, wanted: ResultFormat
) -> Result:
    elements, missing = len(judged), judged.null_count()
    count = elements - missing - int(judged.sum() or 0)
    success = _is_met(count, elements - missing, rule.mostly)
    if wanted.format is Format.BOOLEAN_ONLY and not wanted.tells_query:
        return Result(expectation, success)
    failing = _false(judged) if count else _NONE
    told = failing[: wanted.reach]
    named = wanted.format in (Format.SUMMARY, Format.COMPLETE)
    failures = Failures(
        elements,
        missing if rule.counts_missing else None,
        count,
        chosen.values(told, rule) if count else [],
        chosen.index(told, rule, wanted) if count and named else [],
        chosen.whole(failing[: wanted.shown]) if count and wanted.with_rows else [],
        chosen.query(failing, wanted),
    )
    return Result(expectation, success, describe_failures(failures, wanted))


def _false(judged: pl.Series) -> Rows:
    """Return where False stands, by way of Arrow: for a small batch each call of Polars costs its own."""
    return np.flatnonzero(~np.asarray(judged.to_arrow().fill_null(True)))


def _message(one: Compiled) -> str:
    return one.error.message if isinstance(one, Misfit) else ""


def _is_met(unexpected: int, judged: int, mostly: float) -> bool:
    return not judged or (judged - unexpected) / judged >= mostly
