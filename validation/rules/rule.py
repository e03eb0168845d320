"""Rules: what an expectation compiles to, and what a kind of expectation has to say about itself."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from schemas.archive_spec import ArchiveSpec
from schemas.errors import SuiteError
from schemas.spaces import Box, Discrete, MultiDiscrete, Space
from schemas.step import wire_schema
from validation.suite import Severity


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
    judge: Callable[[pa.Table], NDArray[np.bool_]]

    @property
    def expression(self) -> pl.Expr:
        """Refer to the mask in a rule's expression."""
        return pl.col(self.name)


@dataclass(frozen=True, slots=True)
class Rule:
    """Judge rows by a Polars expression over the wire columns and masks: True, False, or null for neither.

    The value for a row depends on that row alone.
    """

    code: str  # short and stable, what quarantine groups by
    column: str | None  # what the rule is about, where that is one column
    expression: pl.Expr
    reads: tuple[str, ...]  # the columns that `says` looks at
    says: Callable[[pa.Table], list[str]]  # for rows that failed: what was wrong with which value
    masks: tuple[Mask, ...] = ()
    stage: Stage = Stage.VALUE
    severity: Severity = "critical"
    mostly: float = 1.0

    @property
    def gate_severity(self) -> Severity:
        """The severity for one row. With `mostly` below 1 some rows may fail: none is rejected for it."""
        return "warning" if self.severity == "critical" and self.mostly < 1 else self.severity


class Arguments(BaseModel):
    """Hold the kwargs of an expectation; each kind names its own in a model of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    mostly: Annotated[float, Field(ge=0, le=1)] = 1.0


class ColumnArguments(Arguments):
    """Hold the kwargs of an expectation about one column."""

    column: str


@dataclass(frozen=True, slots=True)
class Kind:
    """Describe a type of expectation: its kwargs, and how it becomes a rule for an archive.

    `build` raises SuiteError, without the suite's name, where the kwargs do not fit the archive.
    """

    name: str  # the `type` of its expectations
    arguments: type[Arguments]
    build: Callable[[Any, ArchiveSpec], Rule]


def type_of(column: str, spec: ArchiveSpec) -> pa.DataType:
    """Return the type of a wire column; raise SuiteError where there is none of that name."""
    schema = wire_schema(spec)
    if column in schema.names:
        return schema.field(column).type
    head = column.split(".")[0]
    if head in schema.names:
        raise SuiteError(
            f"The column {column!r} is a field inside {head!r}.", hint=f"Rules judge {head!r} as a whole."
        )
    raise SuiteError(
        f"The archive {spec.name!r} has no column {column!r}.", hint=did_you_mean(column, schema.names)
    )


def space_of(column: str, spec: ArchiveSpec) -> Space | None:
    """Return the space of a wire column, also of the action's mask; None for plain columns."""
    type_of(column, spec)
    if column in ("observation", "next_observation"):
        return spec.observation
    if column == "action_mask":
        size = mask_size(spec.action)
        return None if size is None else Box(shape=(size,), dtype="bool")
    return spec.action if column == "action" else spec.extras.get(column)


def mask_size(action: Space) -> int | None:
    """Return the length of an action's mask, the parts of a MultiDiscrete in a row, or None: no masks."""
    if isinstance(action, Discrete):
        return action.n
    return sum(action.nvec) if isinstance(action, MultiDiscrete) else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the nearest name, or list those that are known."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(names)}."
