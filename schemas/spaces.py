"""Spaces: what an observation, an action or an extra column may be, and its Arrow type.

They mirror Gymnasium's, without needing it: frozen, comparable, and written as JSON or YAML.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from schemas.errors import SpecError
from schemas.validation_text import first_problem

# Delta has no unsigned integers and no float16: each dtype is kept in the smallest type that holds it.
_STORED_AS: dict[str, pa.DataType] = {
    "float16": pa.float32(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint16": pa.int32(),
    "uint32": pa.int64(),
    "bool": pa.bool_(),
}
_SCALARS: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
}
_FIELD_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_INT64 = range(-(2**63), 2**63)


class _Space(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    def to_json(self) -> dict[str, Any]:
        """Return the space as JSON-ready values; infinity is written as a string."""
        mapping: dict[str, Any] = json.loads(self.model_dump_json())
        return mapping

    @property
    def mask_size(self) -> int | None:
        """The length of a mask of such actions; None where there are no masks."""
        return None


class Box(_Space):
    """Numbers of one dtype in an array of one shape; `uint8` is held as bytes, so images stay small."""

    type: Literal["box"] = "box"
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    dtype: Literal[
        "float16",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "bool",
    ] = "float32"
    low: float | tuple[float, ...] = -math.inf  # one for all elements, or one each in row-major order
    high: float | tuple[float, ...] = math.inf

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def arrow_type(self) -> pa.DataType:
        """Bytes for uint8, else a list in row-major order, also where the shape is ()."""
        return pa.binary() if self.dtype == "uint8" else pa.list_(_STORED_AS[self.dtype])

    @model_validator(mode="after")
    def _bounds_fit(self) -> Box:
        for name in ("low", "high"):
            bound = getattr(self, name)
            if isinstance(bound, tuple) and len(bound) != self.size:
                raise ValueError(f"{name} has {len(bound)} values, and shape {self.shape} has {self.size}")
        for low, high in _pairs(self.low, self.high):
            if not low <= high:  # also where one is NaN
                raise ValueError(f"low {low} is not at or below high {high}")
            if self.dtype == "bool" and (low > 1 or high < 0):
                raise ValueError(f"no bool lies between {low} and {high}")
            if "int" in self.dtype and not _holds_integer(self.dtype, low, high):
                raise ValueError(f"no {self.dtype} lies between {low} and {high}")
        return self


class Discrete(_Space):
    """One whole number of `n`, counted from `start`."""

    type: Literal["discrete"] = "discrete"
    n: Annotated[int, Field(ge=1)]
    start: int = 0

    @property
    def arrow_type(self) -> pa.DataType:
        """A 64-bit integer."""
        return pa.int64()

    @property
    def mask_size(self) -> int:
        """One for each number."""
        return self.n

    @model_validator(mode="after")
    def _fits_64_bits(self) -> Discrete:
        _check_count(self.n, self.start)
        return self


class MultiDiscrete(_Space):
    """Several whole numbers, each with its own count; a slate of items is one of these."""

    type: Literal["multi_discrete"] = "multi_discrete"
    nvec: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
    start: tuple[int, ...] = ()  # empty: all from 0
    shape: tuple[Annotated[int, Field(ge=1)], ...] = ()  # empty: one dimension

    @property
    def arrow_type(self) -> pa.DataType:
        """A list of 64-bit integers."""
        return pa.list_(pa.int64())

    @property
    def mask_size(self) -> int:
        """One for each value of each number, these in a row."""
        return sum(self.nvec)

    @model_validator(mode="after")
    def _sizes_fit(self) -> MultiDiscrete:
        if self.start and len(self.start) != len(self.nvec):
            raise ValueError(f"start has {len(self.start)} values, and nvec has {len(self.nvec)}")
        if self.shape and math.prod(self.shape) != len(self.nvec):
            raise ValueError(f"shape {self.shape} does not hold the {len(self.nvec)} values of nvec")
        for count, start in zip(self.nvec, self.start or (0,) * len(self.nvec), strict=True):
            _check_count(count, start)
        return self


class MultiBinary(_Space):
    """Several zeros and ones."""

    type: Literal["multi_binary"] = "multi_binary"
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]

    @property
    def arrow_type(self) -> pa.DataType:
        """A list of 8-bit integers."""
        return pa.list_(pa.int8())


class Text(_Space):
    """A string, of at most `max_length` characters."""

    type: Literal["text"] = "text"
    max_length: Annotated[int, Field(ge=1)] = 1_000_000
    min_length: Annotated[int, Field(ge=0)] = 0

    @property
    def arrow_type(self) -> pa.DataType:
        """A string."""
        return pa.string()

    @model_validator(mode="after")
    def _lengths_fit(self) -> Text:
        if self.min_length > self.max_length:
            raise ValueError(f"min_length {self.min_length} is above max_length {self.max_length}")
        return self


class Scalar(_Space):
    """One plain value, for extra columns that are no space of an environment."""

    type: Literal["scalar"] = "scalar"
    dtype: Literal["bool", "int64", "float64", "string", "timestamp"]

    @property
    def arrow_type(self) -> pa.DataType:
        """The type of that name."""
        return _SCALARS[self.dtype]


class Dict(_Space):
    """Named spaces: a struct, whose fields SQL reaches by name."""

    type: Literal["dict"] = "dict"
    spaces: Annotated[dict[str, Space], Field(min_length=1)]

    @property
    def fields(self) -> dict[str, Space]:
        """The spaces by the name of their struct field."""
        return self.spaces

    @property
    def arrow_type(self) -> pa.DataType:
        """A struct with a field for each space."""
        return pa.struct([(name, space.arrow_type) for name, space in self.fields.items()])

    @field_validator("spaces")
    @classmethod
    def _names_are_plain(cls, spaces: dict[str, Space]) -> dict[str, Space]:
        for name in spaces:
            if not re.fullmatch(_FIELD_NAME, name):
                raise ValueError(f"the field name {name!r} is not letters, digits and _ after a letter or _")
        if len({name.lower() for name in spaces}) != len(spaces):
            raise ValueError("two field names differ in case only, which SQL cannot tell apart")
        return spaces


class Tuple(_Space):
    """Spaces in order: a struct with the fields `item_0`, `item_1` and so on."""

    type: Literal["tuple"] = "tuple"
    spaces: Annotated[tuple[Space, ...], Field(min_length=1)]

    @property
    def fields(self) -> dict[str, Space]:
        """The spaces by the name of their struct field."""
        return {f"item_{index}": space for index, space in enumerate(self.spaces)}

    @property
    def arrow_type(self) -> pa.DataType:
        """A struct with a field for each space."""
        return pa.struct([(name, space.arrow_type) for name, space in self.fields.items()])


Space = Annotated[
    Box | Discrete | MultiDiscrete | MultiBinary | Text | Scalar | Dict | Tuple, Field(discriminator="type")
]
Dict.model_rebuild()
Tuple.model_rebuild()
_SPACE: TypeAdapter[Space] = TypeAdapter(Space)


def space_from_json(mapping: Mapping[str, Any]) -> Space:
    """Read a space from JSON or YAML values; raise SpecError with the value that is impossible."""
    try:
        return _SPACE.validate_python(mapping)
    except ValidationError as exc:
        raise impossible_space(exc) from exc


def impossible_space(exc: ValidationError) -> SpecError:
    """Return the error for a space that cannot be, with the value and the kinds that can."""
    return SpecError(
        f"The space is not possible: {first_problem(exc)}.",
        hint="A space is a box, discrete, multi_discrete, multi_binary, text, scalar, dict or tuple.",
    )


def _pairs(low: float | tuple[float, ...], high: float | tuple[float, ...]) -> Iterable[tuple[float, float]]:
    """Pair the bounds up, one that holds for all elements only as often as is needed."""
    lows = low if isinstance(low, tuple) else repeat(low)
    highs = high if isinstance(high, tuple) else repeat(high)
    if isinstance(low, tuple) or isinstance(high, tuple):
        return zip(lows, highs, strict=False)
    return [(low, high)]


def _holds_integer(dtype: str, low: float, high: float) -> bool:
    bits = int(dtype.lstrip("uint"))
    least, greatest = (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    first = least if low <= least else math.ceil(min(low, 2.0**64))
    last = greatest if high >= greatest else math.floor(max(high, -(2.0**64)))
    return first <= last


def _check_count(count: int, start: int) -> None:
    if start not in _INT64 or start + count - 1 not in _INT64:
        raise ValueError(f"{count} whole numbers from {start} on do not fit 64 bits")
