"""One value at a time: from JSON or Python to Arrow's Python form and back, by column type or space."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Space, Text, Tuple
from schemas.times import TimeError, event_time

_INT64 = range(-(2**63), 2**63)
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class WrongTypeError(ValueError):
    """Say what was expected of a value."""


def from_plain(kind: pa.DataType, value: Any) -> Any:
    """Return the value as a column of this type takes it; raise WrongTypeError where it cannot."""
    if pa.types.is_list(kind):
        return [_boolean_or_none(element) for element in _elements(value)]
    return _scalar(kind, value)


def json_text(value: Any) -> str:
    """Return free fields as JSON text; a string is taken to be that already."""
    if isinstance(value, str):
        return _text(value)
    try:
        return json.dumps(_json_value(value), separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise WrongTypeError("JSON cannot hold it") from exc


def _json_value(value: Any) -> Any:
    """Return free fields as JSON takes them: arrays as lists, non-finite numbers and bytes as strings."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {name: _json_value(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(element) for element in value]
    return plain_to_json(value)


def _scalar(kind: pa.DataType, value: Any) -> Any:
    if pa.types.is_boolean(kind):
        return _boolean(value)
    if pa.types.is_integer(kind):
        return _integer(value)
    if pa.types.is_floating(kind):
        return number(value)
    if pa.types.is_timestamp(kind):
        return _moment(value)
    if not isinstance(value, str):
        raise WrongTypeError("a string is expected")
    return _text(value)


def from_space(space: Space, value: Any) -> Any:
    """Return a value of the space as Arrow takes it; raise WrongTypeError where it is of another type.

    Shape and bounds are not looked at: a list that is too short stays so, for the gate to refuse.
    """
    match space:
        case Discrete():
            return _integer(value)
        case Text():
            if not isinstance(value, str):
                raise WrongTypeError("a string is expected")
            return _text(value)
        case Scalar():
            return _scalar(space.arrow_type, value)
        case Box(dtype="uint8"):
            return _bytes(value)
        case Box(dtype="bool"):
            return [_boolean_or_none(element) for element in _elements(value)]
        case Box(dtype=dtype) if dtype.startswith("float"):
            return [_number_or_none(element) for element in _elements(value)]
        case MultiBinary():  # an environment gives these as booleans, too
            return [_sized(pa.int8(), _boolean_as_number(element)) for element in _elements(value)]
        case Box() | MultiDiscrete():
            kind = space.arrow_type.value_type
            return [_sized(kind, element) for element in _elements(value)]
        case Dict() | Tuple():
            return _fields(space, value)


def _fields(space: Dict | Tuple, value: Any) -> dict[str, Any]:
    if isinstance(space, Tuple) and isinstance(value, list | tuple):
        if len(value) != len(space.spaces):
            raise WrongTypeError(f"{len(space.spaces)} items are expected")
        value = dict(zip(space.fields, value, strict=True))
    if not isinstance(value, Mapping):
        raise WrongTypeError("an object is expected")
    unknown = value.keys() - space.fields.keys()
    if unknown:
        raise WrongTypeError(f"its fields are {', '.join(space.fields)}")
    return {
        name: None if value.get(name) is None else from_space(field, value[name])
        for name, field in space.fields.items()
    }


def _elements(value: Any) -> list[Any]:
    """Flatten nested lists and arrays in row-major order; a bare number is one element."""
    if isinstance(value, np.ndarray | np.generic):
        flat = np.asarray(value).ravel().tolist()
        return list(flat)
    if not isinstance(value, list | tuple):
        return [value]
    flat = []
    for element in value:
        if isinstance(element, list | tuple | np.ndarray):
            flat.extend(_elements(element))
        else:
            flat.append(element)
    return flat


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return value.tobytes()
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise WrongTypeError("base64 is expected") from exc
    try:
        return bytes(_integer(element) for element in _elements(value))
    except ValueError as exc:
        raise WrongTypeError("numbers from 0 to 255 are expected") from exc


def _sized(kind: pa.DataType, value: Any) -> int | None:
    if value is None:
        return None
    number = _integer(value)
    limit = 1 << (kind.bit_width - 1)
    if not -limit <= number < limit:
        raise WrongTypeError(f"a number of {kind.bit_width} bits is expected")
    return number


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise WrongTypeError("a whole number is expected")
    if isinstance(value, float | np.floating) and not (math.isfinite(value) and value == int(value)):
        raise WrongTypeError("a whole number is expected")
    if int(value) not in _INT64:
        raise WrongTypeError("a number of 64 bits is expected")
    return int(value)


def _number_or_none(value: Any) -> float | None:
    return None if value is None else number(value)


def number(value: Any) -> float:
    """Return a number, also one that JSON writes as a string: NaN, Infinity, -Infinity."""
    if isinstance(value, str) and value in _NON_FINITE:
        return _NON_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise WrongTypeError("a number is expected")
    try:
        return float(value)
    except OverflowError as exc:
        raise WrongTypeError("a number of 64 bits is expected") from exc


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise WrongTypeError("true or false is expected")
    return bool(value)


def _boolean_or_none(value: Any) -> bool | None:
    return None if value is None else _boolean(value)


def _boolean_as_number(value: Any) -> Any:
    return int(value) if isinstance(value, bool | np.bool_) else value


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise WrongTypeError("text without lone surrogates is expected") from exc
    return value


def _moment(value: Any) -> datetime:
    try:
        return event_time(value)
    except TimeError as exc:
        raise WrongTypeError(str(exc)) from exc


def plain_to_json(value: Any) -> Any:
    """Return an Arrow value as JSON takes it: non-finite numbers and bytes as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [plain_to_json(element) for element in value]
    return value


def space_to_json(space: Space, value: Any) -> Any:
    """Return an Arrow value of the space as JSON takes it."""
    if isinstance(space, Dict | Tuple):
        return {
            name: None if value[name] is None else space_to_json(field, value[name])
            for name, field in space.fields.items()
        }
    return plain_to_json(value)
