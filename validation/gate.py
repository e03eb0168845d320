"""The gate: one pass over a batch, and for every row accept, flag or reject, with every reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.errors import StepsError
from schemas.protocols import Verdict
from schemas.step import wire_schema
from validation.builtin import BUILTIN_VERSION, builtin_suite
from validation.compiler import compile_suite
from validation.rules.known import kinds
from validation.rules.rule import Rule
from validation.suite import Suite

_Rows = NDArray[np.int64]  # the rows that failed a rule, ascending
_NONE: _Rows = np.empty(0, np.int64)


class Gate:
    """Judge rows by the rules that the spec implies and by those of a suite.

    What of the suite cannot be judged row by row stands in `audits` and decides nothing here.

    A critical rule that fails rejects the row, a warning flags it, an info is for audits and not looked at
    here; with `mostly` below 1 a critical rule only flags, since a single row cannot break it. Where a
    critical rule rejects a row for a column's shape, or for a number that is none, the later rules on
    that column say nothing about the row.

    The quality of an accepted row is the share of the warning rules that it did not fail (1.0 where there
    are none); of a rejected row it is 0.0.
    """

    def __init__(self, spec: ArchiveSpec, suite: Suite | None = None) -> None:
        """Compile the rules; raise SuiteError where one does not fit the archive."""
        self.spec = spec
        self.suite = suite or Suite("none")
        builtin, own = compile_suite(builtin_suite(spec), spec), compile_suite(self.suite, spec)
        self.audits = own.audits
        self.rules = tuple(sorted((*builtin.rules, *own.rules), key=lambda rule: rule.stage))
        self._judging = tuple(rule for rule in self.rules if rule.gate_severity != "info")
        self._silencers = [_silencers(rule, self._judging) for rule in self._judging]
        self._masks = {mask.name: mask for rule in self._judging for mask in rule.masks}
        expressions = [_judged(rule) for rule in self._judging]
        names = {name for expression in expressions for name in expression.meta.root_names()}
        self._columns = sorted(names - set(self._masks))
        self._failures = [
            (~expression).fill_null(False).alias(str(index)) for index, expression in enumerate(expressions)
        ]
        self._warnings = sum(rule.gate_severity == "warning" for rule in self._judging)
        self._schema = wire_schema(spec)

    @property
    def suite_hash(self) -> str:
        """Identify the suite, the built-in rules and the code of others in it: equal hashes judge alike."""
        known = kinds()
        others = sorted({known[held.type].identity for held in self.suite.expectations} - {""})
        text = "/".join([str(BUILTIN_VERSION), self.suite.hash, *others])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def judge(self, rows: pa.Table) -> Verdict:
        """Judge rows that have the spec's wire columns; the verdict on a row depends on no other row.

        Raise StepsError where a column is missing or has another type.
        """
        self._check_columns(rows)
        failed = list(zip(self._judging, self._failed(rows), strict=True))
        critical = [(rule.code, found) for rule, found in failed if rule.gate_severity == "critical"]
        warned = [(rule.code, found) for rule, found in failed if rule.gate_severity == "warning"]
        accepted = np.ones(rows.num_rows, np.bool_)
        for _, found in critical:
            accepted[found] = False
        quality = np.ones(rows.num_rows, np.float32)
        if any(len(found) for _, found in warned):
            counts = np.zeros(rows.num_rows, np.int32)
            for _, found in warned:
                counts[found] += 1
            quality = (1 - counts / self._warnings).astype(np.float32)
        quality[~accepted] = 0.0
        return Verdict(accepted, _lists(critical, rows.num_rows), _lists(warned, rows.num_rows), quality)

    def describe(self, rows: pa.Table, verdict: Verdict) -> pa.StringArray:
        """Say for each rejected row, in order, which value was wrong: one line of text for people.

        The rejected rows are judged once more; the cost grows with them, not with the batch.
        """
        rejected = rows.select(self._schema.names).take(pa.array(np.flatnonzero(~verdict.accepted)))
        lines: list[list[str]] = [[] for _ in range(rejected.num_rows)]
        for rule, found in zip(self._judging, self._failed(rejected), strict=True):
            if rule.gate_severity != "critical" or not len(found):
                continue
            texts = rule.says(rejected.select(list(dict.fromkeys(rule.reads))).take(pa.array(found)))
            for row, text in zip(found.tolist(), texts, strict=True):
                if text not in lines[row]:  # the archive and the suite may ask for the same
                    lines[row].append(text)
        return pa.array(["; ".join(texts) for texts in lines], pa.string())

    def _failed(self, rows: pa.Table) -> list[_Rows]:
        series = [pl.Series(name, rows[name]) for name in self._columns]
        masks = [pl.Series(name, mask.judge(rows)) for name, mask in self._masks.items()]
        failures = pl.DataFrame([*series, *masks]).select(self._failures)
        found = [np.flatnonzero(failure) if failure.any() else _NONE for failure in failures]
        return [
            _without(mine, [found[index] for index in silencers])
            for mine, silencers in zip(found, self._silencers, strict=True)
        ]

    def _check_columns(self, rows: pa.Table) -> None:
        for field in self._schema:
            index = rows.schema.get_field_index(field.name)
            if index < 0:
                raise StepsError(
                    f"The rows have no column {field.name!r}.",
                    column=field.name,
                    hint="See schemas.wire_schema.",
                )
            held = rows.schema.field(index).type
            if held != field.type:
                raise StepsError(
                    f"The column {field.name!r} is {held}, not {field.type}.",
                    column=field.name,
                    hint="Build the rows with Steps, which brings them to the archive's types.",
                )


def _judged(rule: Rule) -> pl.Expr:
    """Judge the rows that the rule is about."""
    if rule.condition is None:
        return rule.expression
    return pl.when(rule.condition.expression).then(rule.expression)


def _silencers(rule: Rule, rules: Sequence[Rule]) -> list[int]:
    """Find the rules whose failure says all there is to say. They reject, so no verdict hangs on it."""
    return [
        index
        for index, other in enumerate(rules)
        if other.column == rule.column is not None
        and other.stage < rule.stage
        and other.gate_severity == "critical"
    ]


def _without(found: _Rows, said: Iterable[_Rows]) -> _Rows:
    for others in said:
        if len(found) and len(others):
            found = found[np.isin(found, others, assume_unique=True, invert=True)]
    return found


def _lists(failed: Sequence[tuple[str, _Rows]], length: int) -> pa.ListArray:
    """List for each row the codes that it failed, each once, in the order of the rules."""
    codes = list(dict.fromkeys(code for code, _ in failed))
    offsets = np.zeros(length + 1, np.int32)
    pairs = [found * len(codes) + codes.index(code) for code, found in failed if len(found)]
    if not pairs:
        return pa.ListArray.from_arrays(offsets, pa.array([], pa.string()))
    keys = np.sort(np.concatenate(pairs), kind="stable")  # which merges runs that are sorted already
    keys = keys[np.flatnonzero(np.diff(keys, prepend=-1))]  # two rules may share a code
    np.cumsum(np.bincount(keys // len(codes), minlength=length), out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, pa.array(codes).take(pa.array(keys % len(codes))))
