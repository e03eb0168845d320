"""Checks: a suite judges a whole table, and says what Great Expectations would say."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from validation.columns import ColumnError, Columns
from validation.compiler import Compiled, compile_for
from validation.conditions import Condition
from validation.results import (
    Failures,
    Format,
    Result,
    ResultFormat,
    SuiteResult,
    describe_failures,
    json_value,
)
from validation.rules.rule import Measure, Rule
from validation.suite import Expectation, Suite
from validation.tables import Table, read_table


class Checks:
    """Hold a suite that was compiled for the columns of tables, to judge many of them."""

    def __init__(self, suite: Suite, columns: Columns) -> None:
        """Compile; raise SuiteError where an expectation could not be for any columns."""
        self._suite = suite
        self._compiled = compile_for(suite, columns)
        self._groups = _by_condition(self._compiled)

    def run(self, table: Table, wanted: ResultFormat) -> SuiteResult:
        """Judge a table with these columns, in one pass for each row condition."""
        found: dict[int, Result] = {}
        for group in self._groups:
            chosen = group.choose(table)
            found |= self._run_rules(group.rules, chosen, wanted)
            found |= self._run_measures(group.measures, chosen, wanted)
        results = [
            Result(expectation, False, error=one.message) if isinstance(one, ColumnError) else found[place]
            for place, (expectation, one) in enumerate(
                zip(self._suite.expectations, self._compiled, strict=True)
            )
        ]
        return SuiteResult(self._suite, tuple(results))

    def _run_rules(
        self, rules: Mapping[int, Rule], chosen: _Chosen, wanted: ResultFormat
    ) -> dict[int, Result]:
        if not rules:
            return {}
        masks = {mask.name: mask for rule in rules.values() for mask in rule.masks}
        made = [pl.Series(name, mask.judge(chosen.rows)) for name, mask in masks.items()]
        frame = chosen.frame.with_columns(made) if made else chosen.frame
        judged, errors = _select(frame, {place: rule.expression for place, rule in rules.items()})
        results = {}
        for place, rule in rules.items():
            expectation = self._suite.expectations[place]
            if place in errors:
                results[place] = Result(expectation, False, error=errors[place])
                continue
            results[place] = _result(expectation, rule, judged[place], chosen, wanted)
        return results

    def _run_measures(
        self, measures: Mapping[int, Measure], chosen: _Chosen, wanted: ResultFormat
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
                if observed.details is not None:
                    told["details"] = json_value(dict(observed.details))
            results[place] = Result(expectation, observed.success, told)
        return results


def check_table(
    suite: Suite, given: Any, result_format: str | Mapping[str, Any], spec: ArchiveSpec | None = None
) -> SuiteResult:
    """Judge a table of Arrow, Polars or pandas; see `Suite.validate`."""
    table = read_table(given)
    wanted = ResultFormat.of(result_format)
    columns = Columns(table.rows.schema, spec, unreadable=table.unreadable)
    for column in wanted.index_columns:
        columns.type_of(column)
    return Checks(suite, columns).run(table, wanted)


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """Hold the rows of a table that a row condition chooses."""

    table: Table
    rows: pa.Table
    frame: pl.DataFrame
    positions: np.ndarray[Any, Any] | None  # in the table; None for all

    def index(self, failing: np.ndarray[Any, Any], wanted: ResultFormat) -> list[Any]:
        """Name failing rows."""
        if not wanted.index_columns:
            return self.table.label(failing if self.positions is None else self.positions[failing])
        named = self.rows.select(list(wanted.index_columns)).take(pa.array(failing))
        return [json_value(row) for row in named.to_pylist()]

    def values(self, failing: np.ndarray[Any, Any], columns: Sequence[str]) -> list[Any]:
        """Return the values of failing rows: of one column as they are, of several as lists."""
        held = self.frame.select(columns)[failing]
        lists = [json_value(column.to_list()) for column in held]
        return lists[0] if len(lists) == 1 else [list(row) for row in zip(*lists, strict=True)]


@dataclass(frozen=True, slots=True)
class _Group:
    """Hold what is judged over the same rows, by its place in the suite."""

    condition: Condition | None
    rules: Mapping[int, Rule]
    measures: Mapping[int, Measure]

    def choose(self, table: Table) -> _Chosen:
        frame = _frame(table.rows)
        if self.condition is None:
            return _Chosen(table, table.rows, frame, None)
        chosen = frame.select(self.condition.expression.fill_null(False)).to_series()
        positions = chosen.arg_true().to_numpy()
        return _Chosen(table, table.rows.take(pa.array(positions)), frame[positions], positions)


def _by_condition(compiled: Iterable[Compiled]) -> list[_Group]:
    def text(pair: tuple[int, Rule | Measure]) -> str:
        condition = pair[1].condition
        return "" if condition is None else condition.text

    placed = [(place, one) for place, one in enumerate(compiled) if not isinstance(one, ColumnError)]
    groups = []
    for _, members in itertools.groupby(sorted(placed, key=text), key=text):
        held = list(members)
        rules = {place: one for place, one in held if isinstance(one, Rule)}
        measures = {place: one for place, one in held if isinstance(one, Measure)}
        groups.append(_Group(held[0][1].condition, rules, measures))
    return groups


def _frame(rows: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 (it is a Series only for an array)
    return frame


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


def _result(
    expectation: Expectation, rule: Rule, judged: pl.Series, chosen: _Chosen, wanted: ResultFormat
) -> Result:
    elements, missing = len(judged), judged.null_count()
    count = elements - missing - int(judged.sum() or 0)
    success = _is_met(count, elements - missing, rule.mostly)
    if wanted.format is Format.BOOLEAN_ONLY:
        return Result(expectation, success)
    failing = (~judged).fill_null(False).arg_true().to_numpy() if count else np.empty(0, np.int64)
    if wanted.format is not Format.COMPLETE:
        failing = failing[: wanted.shown]
    failures = Failures(
        elements,
        missing if rule.counts_missing else None,
        count,
        chosen.values(failing, rule.reads) if count else [],
        chosen.index(failing, wanted) if count and wanted.format is not Format.BASIC else [],
    )
    return Result(expectation, success, describe_failures(failures, wanted))


def _is_met(unexpected: int, judged: int, mostly: float) -> bool:
    return not judged or (judged - unexpected) / judged >= mostly
