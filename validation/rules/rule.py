"""Rules and measures: what an expectation compiles to, and what a kind of expectation says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated, Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from validation.columns import Columns
from validation.conditions import Condition
from validation.expectation import Severity


class Stage(IntEnum):
    """Order the rules on one column: where one rejects a row, later stages have nothing to add.

    So that one cause gives one reason: a vector of the wrong length is not out of bounds as well.
    """

    SHAPE = 0
    SOUND = 1  # numbers that are numbers
    VALUE = 2


@dataclass(frozen=True, slots=True)
class Mask:
    """Compute a boolean column from the Arrow rows, for what reads better, or faster, off Arrow itself.

    Rules share masks by name; no name is that of a column, since it has parentheses.
    """

    name: str
    judge: Callable[[pa.Table], NDArray[np.bool_] | pl.Series]  # a series where a value may be missing

    @property
    def expression(self) -> pl.Expr:
        """Refer to the mask in a rule's expression."""
        return pl.col(self.name)


@dataclass(frozen=True, slots=True)
class Rule:
    """Judge rows by a Polars expression over columns and masks: True, False, or null for a missing value.

    Where `per_row` holds, the value for a row depends on that row alone, and a gate may judge by it.
    """

    code: str  # short and stable, what quarantine groups by
    column: str | None  # what the rule is about, where that is one column
    expression: pl.Expr
    reads: tuple[str, ...]  # the columns whose values are shown of a row that failed
    says: Callable[[pa.Table], list[str]]  # for rows that failed: what was wrong with which value
    masks: tuple[Mask, ...] = ()
    stage: Stage = Stage.VALUE
    severity: Severity = "critical"
    mostly: float = 1.0
    per_row: bool = True
    counts_missing: bool = True  # False where a null is what the rule is about
    condition: Condition | None = None  # which rows it is about; None for all
    by_name: bool = False  # values of several columns are shown as mappings; the compiler's, for column_list

    @property
    def gate_severity(self) -> Severity:
        """The severity for one row. With `mostly` below 1 some rows may fail: none is rejected for it."""
        return "warning" if self.severity == "critical" and self.mostly < 1 else self.severity


@dataclass(frozen=True, slots=True)
class Observed:
    """Hold what a measure found: whether it will do, the value, and what explains it."""

    success: bool
    value: Any = None  # a JSON value; not shown where `shows_value` is False
    details: Mapping[str, Any] | None = None
    shows_value: bool = True
    beside: Mapping[str, Any] = field(default_factory=dict)  # told beside the value


@dataclass(frozen=True, slots=True)
class Measure:
    """Judge a table as a whole by values that Polars computes of it: for audits, never for a gate."""

    code: str
    column: str | None
    expressions: Mapping[str, pl.Expr]  # each gives one value; a list by `implode()`
    judge: Callable[[Mapping[str, Any]], Observed]  # of those values
    severity: Severity = "critical"
    condition: Condition | None = None


class Arguments(BaseModel):
    """Hold the kwargs of an expectation; each kind names its own in a model of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RuleArguments(Arguments):
    """Hold the kwargs of an expectation that judges rows."""

    mostly: Annotated[float, Field(ge=0, le=1)] = 1.0


class ColumnArguments(RuleArguments):
    """Hold the kwargs of an expectation that judges the values of one column."""

    column: str


@dataclass(frozen=True, slots=True)
class Kind:
    """Describe a type of expectation: its kwargs, and how it becomes a rule or a measure for columns.

    `build` raises SuiteError, without the suite's name, where the kwargs can never be, and ColumnError
    where they do not fit the columns. `severity`, `mostly` and the row condition are the compiler's.
    """

    name: str  # the `type` of its expectations
    arguments: type[Arguments]
    build: Callable[[Any, Columns], Rule | Measure]
    identity: str = ""  # goes into a gate's hash, for what the suite does not say: code of others
