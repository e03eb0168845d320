"""Targets: what a column of the step wants, read off the archive's spec."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

import polars as pl
import pyarrow as pa

from ingest.mapping.values import MOMENT_TYPE
from schemas.archive_spec import ArchiveSpec
from schemas.membership import vector_size
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Space, Tuple
from schemas.step import PROPENSITY_ALIAS, WIRE_COLUMNS

TypeName = Literal["bool", "int64", "float64", "string", "timestamp"]
_INT64 = (-(2**63), 2**63 - 1)


class Sort(Enum):
    """Name what a single value is to be."""

    BOOL = "true or false"
    INT = "a whole number"
    FLOAT = "a number"
    TEXT = "a text"
    TIME = "a time"
    JSON = "what JSON can hold"


@dataclass(frozen=True, slots=True)
class Single:
    """Want one value."""

    sort: Sort
    type: pa.DataType
    range: tuple[int, int] = _INT64  # of an integer
    keeps_empty: bool = False  # an empty text is a value, not a missing one
    takes_bool: bool = False  # true is 1, as an environment has it in a MultiBinary

    @property
    def held(self) -> pl.DataType:
        """The type of a series that holds such values."""
        if self.sort is Sort.FLOAT:
            return pl.Float32() if pa.types.is_float32(self.type) else pl.Float64()
        kinds = {Sort.BOOL: pl.Boolean(), Sort.INT: pl.Int64(), Sort.TIME: MOMENT_TYPE}
        return kinds.get(self.sort, pl.String())


@dataclass(frozen=True, slots=True)
class Row:
    """Want as many values as the space has, one after another."""

    size: int
    element: Single
    as_bytes: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """Want a value for each field of a struct."""

    fields: dict[str, Target]


Target = Single | Row | Parts


def single_of(type_: pa.DataType) -> Single:
    """Return the target of a plain column's type."""
    if pa.types.is_boolean(type_):
        return Single(Sort.BOOL, type_)
    if pa.types.is_integer(type_):
        half = 1 << (type_.bit_width - 1)
        return Single(Sort.INT, type_, (-half, half - 1))
    if pa.types.is_floating(type_):
        return Single(Sort.FLOAT, type_)
    return Single(Sort.TIME if pa.types.is_timestamp(type_) else Sort.TEXT, type_)


def named_target(name: TypeName) -> Single:
    """Return the target of a type that a mapping names."""
    return single_of(Scalar(dtype=name).arrow_type)


def target_of(space: Space) -> Target:
    """Return the target of a space's column."""
    match space:
        case Box(dtype="uint8"):
            return Row(vector_size(space), Single(Sort.INT, pa.uint8(), (0, 255)), as_bytes=True)
        case Box() | MultiDiscrete():
            return Row(vector_size(space), single_of(space.arrow_type.value_type))
        case MultiBinary():
            return Row(vector_size(space), Single(Sort.INT, pa.int8(), (-128, 127), takes_bool=True))
        case Dict() | Tuple():
            return Parts({name: target_of(field) for name, field in space.fields.items()})
        case Scalar() | Discrete():
            return single_of(space.arrow_type)
        case _:
            return Single(Sort.TEXT, space.arrow_type, keeps_empty=True)


def targets_of(spec: ArchiveSpec) -> dict[str, Target | None]:
    """Return the target of every column that a mapping may fill; None for one that cannot be."""
    spaces = spec.spaces
    found: dict[str, Target | None] = {}
    for column in WIRE_COLUMNS:
        if column.name == "info":
            found["info"] = Single(Sort.JSON, pa.string())
        elif column.name == "action_mask":
            size = spec.action.mask_size
            found["action_mask"] = None if size is None else Row(size, single_of(pa.bool_()))
        elif column.type is not None:
            found[column.name] = single_of(column.type)
        else:
            found[column.name] = target_of(spaces[column.name])
    found[PROPENSITY_ALIAS] = single_of(pa.float64())
    return found | {name: target_of(space) for name, space in spec.extras.items()}
