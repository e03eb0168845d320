"""Columns: what rules are compiled against. An archive's wire columns, or those of any table."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from schemas.errors import SuiteError
from schemas.spaces import Box, Space
from schemas.step import wire_schema


class ColumnError(SuiteError):
    """Report a rule that does not fit these columns: at a gate a mistake, over a table a failed result.

    `column` is given where it is that column's type that does not fit. For Great Expectations types are those
    of values, so over rows that have none there such a rule has nothing to find fault with.
    """

    def __init__(self, message: str, *, hint: str = "", column: str = "") -> None:
        self.column = column
        super().__init__(message, hint=hint)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Know the columns' types and, where they are an archive's, its spaces.

    `strict` is what a gate is: there a rule that can never hold is a mistake of its author. Over a table it
    is a rule that fails, as it is for Great Expectations.
    """

    schema: pa.Schema
    spec: ArchiveSpec | None = None
    strict: bool = False
    unreadable: Mapping[str, str] = field(default_factory=dict)  # columns without one type, and why
    objects: frozenset[str] = frozenset()  # columns that were Python objects, which have a type each

    @classmethod
    def of_archive(cls, spec: ArchiveSpec) -> Columns:
        """Return the columns that a gate judges."""
        return cls(wire_schema(spec), spec, strict=True)

    def type_of(self, column: str) -> pa.DataType:
        """Return a column's Arrow type; raise ColumnError where there is none of that name."""
        if column in self.schema.names:
            return self.schema.field(column).type
        if column in self.unreadable:
            raise ColumnError(f"The column {column!r} has no one type: {self.unreadable[column]}.")
        head = column.split(".")[0]
        if head in self.schema.names:
            raise ColumnError(
                f"The column {column!r} is a field inside {head!r}.", hint=f"Rules judge {head!r} as a whole."
            )
        where = f"The archive {self.spec.name!r}" if self.strict and self.spec else "The table"
        raise ColumnError(f"{where} has no column {column!r}.", hint=did_you_mean(column, self.schema.names))

    def space_of(self, column: str) -> Space | None:
        """Return the space of a wire column, also of the action's mask; None for plain columns."""
        self.type_of(column)
        spec = self.required_spec()
        if column in ("observation", "next_observation"):
            return spec.observation
        if column == "action_mask":
            size = spec.action.mask_size
            return None if size is None else Box(shape=(size,), dtype="bool")
        return spec.action if column == "action" else spec.extras.get(column)

    def required_spec(self) -> ArchiveSpec:
        """Return the archive's spec; raise ColumnError for a table that came without one."""
        if self.spec is None:
            raise ColumnError(
                "The rule needs an archive's spec, and a plain table has none.",
                hint="Validate the archive by its name, or give a spec.",
            )
        return self.spec

    def values(self, column: str) -> pl.Expr:
        """Refer to a column's values. NaN is a null, as it is for Great Expectations."""
        floats = pa.types.is_floating(self.type_of(column))
        return pl.col(column).fill_nan(None) if floats else pl.col(column)


def is_text(type_: pa.DataType) -> bool:
    """Say whether a column holds texts."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def is_number(type_: pa.DataType) -> bool:
    """Say whether a column holds integers or floats."""
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def is_time(type_: pa.DataType) -> bool:
    """Say whether a column holds moments or dates."""
    return bool(pa.types.is_timestamp(type_) or pa.types.is_date(type_))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the nearest name, or list those that are known."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(names)}."
