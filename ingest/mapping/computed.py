"""Values that an expression gives, for all records at once; where it fails, it fails for a row alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice, product
from typing import Any

import numpy as np
import polars as pl

from ingest.mapping.batches import Batch
from ingest.mapping.paths import path_of
from ingest.mapping.signatures import gathered, kind_codes, kind_named, rows_by_signature, type_for
from ingest.mapping.values import Group, Kind, Mask, Rows, Values, of_series
from schemas.errors import UsageError
from schemas.expressions import Expression
from schemas.shown import shown

_MOST_FAILURES = 1000  # rows tried alone, where an expression fails in a way that was not foreseen
_MOST_GUESSES = 500
# What a field that is missing may be taken for, in this order, so that the expression has a meaning.
_MISSING_AS: tuple[Any, ...] = (
    pl.Null,
    pl.String,
    pl.Float64,
    pl.Boolean,
    pl.List(pl.Float64),
    pl.List(pl.String),
)


class ExpressionReader:
    """Read what an expression gives for each record, of that record's own values and their kinds."""

    def __init__(self, text: str) -> None:
        self._expression = Expression.parse(text)
        self.name = "its expression"
        self.fields = self._expression.fields
        self._paths = [path_of(field) for field in self.fields]
        self._columns: list[pl.Expr] = [self._expression.value.alias("value")]
        if self._expression.failed is not None:
            self._columns.append(self._expression.failed.alias("failed"))
        self._types: dict[tuple[Any, ...], tuple[Any, ...] | str] = {}

    def read(self, batch: Batch) -> Values:
        """Return what the expression gives; where it cannot be computed for a row, that row failed."""
        columns = [batch.column(path) for path in self._paths]
        series = [
            column.alias(path.text)
            for column, path in zip(columns, self._paths, strict=True)
            if column is not None
        ]
        if series and len(series) == len(self._paths):
            frame = pl.DataFrame(series)
            self._check(frame)
            return self._result(batch, [(None, *self._evaluate(frame))])
        return self._by_signature(batch)

    def _check(self, frame: pl.DataFrame) -> None:
        """Raise UsageError where a table's columns are of types that the expression cannot work with."""
        problem = self._problem_with(tuple(frame.schema.dtypes()))
        if problem is not None:
            texts = [name for name, type_ in frame.schema.items() if type_ == pl.String]
            hint = (
                f"{texts[0]!r} is text here: write col({texts[0]!r}).cast(Float64) for a number."
                if texts
                else "Mend it."
            )
            raise UsageError(
                f"The expression {shown(self._expression.text)} cannot be computed: {problem}.", hint=hint
            )

    def _problem_with(self, types: tuple[Any, ...]) -> str | None:
        try:
            _select(pl.DataFrame(schema=dict(zip(self.fields, types, strict=True))), self._columns)
        except pl.exceptions.PolarsError as exc:
            return _first_line(exc)
        return None

    def _evaluate(self, frame: pl.DataFrame) -> tuple[pl.Series, Mask, dict[int, str]]:
        """Return the values, which rows failed, and what Polars said of those where it refused."""
        said: dict[int, str] = {}
        parts = self._tried(frame, 0, said)
        values = pl.concat([part["value"] for part in parts]) if len(parts) > 1 else parts[0]["value"]
        failed = np.zeros(frame.height, np.bool_)
        if len(self._columns) > 1:
            failed |= np.concatenate([part["failed"].fill_null(False).to_numpy() for part in parts])
        failed[list(said)] = True
        return values, failed, said

    def _tried(self, frame: pl.DataFrame, start: int, said: dict[int, str]) -> list[pl.DataFrame]:
        """Evaluate at once; where Polars refuses, halve down to the rows at fault."""
        try:
            return [_select(frame, self._columns)]
        except pl.exceptions.PolarsError as exc:
            if frame.height > 1:
                half = frame.height // 2
                return [
                    *self._tried(frame[:half], start, said),
                    *self._tried(frame[half:], start + half, said),
                ]
            said[start] = _first_line(exc)
            if len(said) > _MOST_FAILURES:
                raise UsageError(
                    f"The expression {shown(self._expression.text)} fails for most rows: {said[start]}.",
                    hint="Mend it, and look at a dry run first.",
                ) from exc
            return [_select(frame.clear(), self._columns).clear(1)]

    def _by_signature(self, batch: Batch) -> Values:
        """Evaluate together the records whose fields are of the same kinds."""
        held = [batch.values(path, optional=False) for path in self._paths]
        codes = [kind_codes(values) for values in held]
        results: list[tuple[Rows | None, pl.Series, Mask, dict[int, str]]] = []
        for rows in rows_by_signature(codes, len(batch)):
            signature = tuple(int(code[rows[0]]) for code in codes)
            types = self._types.get(signature)
            if types is None:
                types = self._types[signature] = self._types_for(signature)
            if isinstance(types, str):
                failed = np.ones(len(rows), np.bool_)
                results.append(
                    (rows, pl.Series([None] * len(rows)), failed, dict.fromkeys(range(len(rows)), types))
                )
                continue
            series = [
                gathered(values, rows, type_).alias(name)
                for values, type_, name in zip(held, types, self.fields, strict=True)
            ]
            frame = pl.DataFrame(series) if series else pl.DataFrame({"": rows})
            results.append((rows, *self._evaluate(frame)))
        return self._result(batch, results)

    def _types_for(self, signature: tuple[int, ...]) -> tuple[Any, ...] | str:
        """Find types for fields of these kinds that give the expression a meaning, or say why none do."""
        choices: list[tuple[Any, ...]] = []
        for code, field in zip(signature, self.fields, strict=True):
            type_ = type_for(code)
            if type_ is None:
                return f"{field} is {kind_named(code)}"
            choices.append(_MISSING_AS if code == Kind.NOTHING else (type_,))
        first = ""
        for types in islice(product(*choices), _MOST_GUESSES):
            problem = self._problem_with(types)
            if problem is None:
                return types
            first = first or problem
        return first

    def _result(
        self, batch: Batch, results: Sequence[tuple[Rows | None, pl.Series, Mask, dict[int, str]]]
    ) -> Values:
        failed = np.zeros(len(batch), np.bool_)
        said: dict[int, str] = {}
        groups: list[Group] = []
        for rows, series, wrong, why in results:
            places = slice(None) if rows is None else rows
            failed[places] |= wrong
            said.update({row if rows is None else int(rows[row]): text for row, text in why.items()})
            for group in of_series(series).groups:
                inner = group.rows if rows is None else rows if group.rows is None else rows[group.rows]
                groups.append(Group(group.kind, inner, group.values))

        def shown_fields(row: int) -> dict[str, Any]:
            return {path.text: batch.values(path).at(row) for path in self._paths}

        def problem(row: int) -> str:
            why = f": {said[row]}" if row in said else ""
            return f"its expression cannot be computed of {shown(shown_fields(row))}{why}"

        return Values(len(batch), tuple(groups), _at(groups), failed if failed.any() else None, problem)


def _select(frame: pl.DataFrame, columns: Sequence[pl.Expr]) -> pl.DataFrame:
    """Evaluate for each row, also what looks at no field."""
    made = frame.select(columns)
    return made if made.height == frame.height else frame.with_columns(columns).select(made.columns)


def _at(groups: Sequence[Group]) -> Callable[[int], Any]:
    def at(row: int) -> Any:
        for group in groups:
            if group.rows is None:
                return group.values[row]
            place = int(np.searchsorted(group.rows, row))
            if place < len(group.rows) and group.rows[place] == row:
                return group.values[place]
        return None

    return at


def _first_line(exc: Exception) -> str:
    return str(exc).split("\n", 1)[0].rstrip(".")
