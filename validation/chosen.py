"""The rows of a table that a row condition chooses, and what is told of those that fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from validation.conditions import Condition
from validation.results import ResultFormat, json_list
from validation.rules.rule import Rule
from validation.tables import Table, arrow_rows

Rows = np.ndarray[Any, Any]  # numbers of rows, ascending


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Hold the rows of a table that a row condition chooses."""

    table: Table
    frame: pl.DataFrame
    positions: np.ndarray[Any, Any] | None  # in the table; None for all

    @property
    def rows(self) -> pa.Table:
        """The rows as Arrow, made anew."""
        return arrow_rows(self.frame)

    def index(self, failing: Rows, rule: Rule, wanted: ResultFormat) -> list[Any]:
        """Name failing rows: by number or label, or as a mapping of what was judged and what names them."""
        labels = self._labels(failing)
        if not wanted.index_columns and not self.table.index_names:
            return labels
        naming: dict[str, list[Any]] = {}
        if wanted.index_columns:
            naming = self._lists(failing, wanted.index_columns)
        else:
            parts = [label if len(self.table.index_names) > 1 else [label] for label in labels]
            naming = dict(
                zip(self.table.index_names, map(list, zip(*parts, strict=True)), strict=bool(parts))
            )
        if not wanted.with_values:
            return [naming] if len(failing) else []
        return records({**self._lists(failing, rule.reads), **naming}, len(failing))

    def query(self, failing: Rows, wanted: ResultFormat) -> str | None:
        """Say how pandas finds failing rows, where the table was pandas'."""
        if not self.table.is_pandas or not wanted.tells_query:
            return None
        labels = [tuple(label) if isinstance(label, list) else label for label in self._labels(failing)]
        return f"df.filter(items={labels}, axis=0)"

    def values(self, failing: Rows, rule: Rule) -> list[Any]:
        """Return the values of failing rows: of one column as they are, of several as lists or by name."""
        lists = self._lists(failing, rule.reads)
        if rule.by_name:
            return records(lists, len(failing))
        if len(rule.reads) == 1:
            return lists[rule.reads[0]]
        return [list(row) for row in zip(*(lists[name] for name in rule.reads), strict=True)]

    def whole(self, failing: Rows) -> list[Any]:
        """Return failing rows with all their columns."""
        return records(self._lists(failing, self.frame.columns), len(failing))

    def _lists(self, failing: Rows, columns: Iterable[str]) -> dict[str, list[Any]]:
        return {name: json_list(self.frame[name][failing]) for name in columns}

    def _labels(self, failing: Rows) -> list[Any]:
        return self.table.label(failing if self.positions is None else self.positions[failing])


def choose(table: Table, condition: Condition | None) -> Chosen:
    """Choose the rows of a table."""
    frame = table.frame
    if condition is None:
        return Chosen(table, frame, None)
    chosen = frame.select(condition.expression.fill_null(False)).to_series()
    positions = chosen.arg_true().to_numpy()
    return Chosen(table, frame[positions], positions)


def records(columns: Mapping[str, Sequence[Any]], length: int) -> list[dict[str, Any]]:
    """Turn columns into a mapping for each row."""
    return [{name: values[row] for name, values in columns.items()} for row in range(length)]
