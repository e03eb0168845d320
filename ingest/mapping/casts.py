"""Casts: from values of any kind to a column of one type, strictly.

Nothing is lost in silence: a fraction is no whole number, true is no 1, "1.0" is no whole number as it is
written, and a number that its type cannot hold is refused. What is allowed: a whole float as an integer,
text that is written as a number, true and false in any case, an integer as a text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ingest.mapping.targets import Single, Sort
from ingest.mapping.times import Clock
from ingest.mapping.values import Group, Kind, Mask, Values, of_objects, valid
from schemas.errors import UsageError
from schemas.space_values import WrongTypeError, json_text

_FLOAT32 = float(np.finfo(np.float32).max)
_INFINITE = r"(?i)inf"


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Hold a column of the target's type: null where the value is missing, and where it is bad."""

    values: pl.Series
    bad: Mask


_Caster = Callable[[Any, Single, Clock], pl.Series]


def cast(values: Values, target: Single, clock: Clock) -> Cast:
    """Bring values to the target; those that cannot be are bad, and no other."""
    bad = np.zeros(values.length, np.bool_) if values.failed is None else values.failed.copy()
    whole: pl.Series | None = None
    for group in values.groups:
        made, wrong = _cast_group(group, target, clock)
        if group.rows is None:
            bad |= wrong
            whole = made
        else:
            bad[group.rows] |= wrong
            base = _empty(target, values.length) if whole is None else whole
            whole = base.scatter(group.rows, made)
    return Cast(_empty(target, values.length) if whole is None else whole, bad)


def cast_constant(value: Any, target: Single, clock: Clock) -> Any:
    """Bring one constant of a mapping to the target; raise UsageError where it does not fit."""
    made = cast(of_objects([value]), target, clock)
    if made.bad[0]:
        raise UsageError(f"{value!r} is not {wanted(target, clock)}.", hint="Write one that is.")
    return made.values[0]


def wanted(target: Single, clock: Clock) -> str:
    """Say what the target expects, for people."""
    if target.sort is Sort.TIME:
        return clock.wanted
    if target.sort is Sort.INT and target.range[1] < 2**63 - 1:
        return f"a whole number from {target.range[0]} to {target.range[1]}"
    said: str = target.sort.value
    return said


def _empty(target: Single, length: int) -> pl.Series:
    return pl.Series([None], dtype=target.held).new_from_index(0, length)


def _cast_group(group: Group, target: Single, clock: Clock) -> tuple[pl.Series, Mask]:
    there = valid(group.values)
    values = group.values
    if group.kind is Kind.TEXT and not target.keeps_empty and isinstance(values, pl.Series):
        filled = values.str.len_bytes() > 0
        if not filled.all(ignore_nulls=True):
            values = values.set(~filled, None)
            there = valid(values)
    caster = _CASTERS.get((target.sort, group.kind))
    if caster is None and target.sort is Sort.JSON:
        caster = _json
    made = _empty(target, len(values)) if caster is None else caster(values, target, clock)
    return made, there & made.is_null().to_numpy()


def _where(values: pl.Series, mask: pl.Series) -> pl.Series:
    return values if mask.all(ignore_nulls=True) else values.set(~mask.fill_null(False), None)


def _same(values: pl.Series, _: Single, __: Clock) -> pl.Series:
    return values


def _float(values: pl.Series, target: Single, _: Clock) -> pl.Series:
    if target.held == pl.Float64:
        return values
    beyond = values.is_finite() & (values.abs() > _FLOAT32)
    return _where(values, ~beyond).cast(pl.Float32)


def _int_as_float(values: pl.Series, target: Single, clock: Clock) -> pl.Series:
    return _float(values.cast(pl.Float64), target, clock)


def _text_as_float(values: pl.Series, target: Single, clock: Clock) -> pl.Series:
    numbers = values.cast(pl.Float64, strict=False)
    infinite = numbers.is_infinite()
    if infinite.any():  # a number that is too large reads as infinity: only what says so is
        numbers = _where(numbers, ~infinite | values.str.contains(_INFINITE))
    return _float(numbers, target, clock)


def _other_as_float(values: Sequence[Any], target: Single, clock: Clock) -> pl.Series:
    return _float(pl.Series([_large(value) for value in values], dtype=pl.Float64), target, clock)


def _large(value: Any) -> float | None:
    """Return an integer beyond 64 bits as a float, where a float reaches so far."""
    if not isinstance(value, int):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _int(values: pl.Series, target: Single, _: Clock) -> pl.Series:
    low, high = target.range
    return values if target.range == (-(2**63), 2**63 - 1) else _where(values, values.is_between(low, high))


def _float_as_int(values: pl.Series, target: Single, clock: Clock) -> pl.Series:
    whole = values.is_finite() & (values == values.round(0, mode="half_to_even"))
    inside = (values >= -(2.0**63)) & (values < 2.0**63)
    return _int(_where(values, whole & inside).cast(pl.Int64), target, clock)


def _text_as_int(values: pl.Series, target: Single, clock: Clock) -> pl.Series:
    return _int(values.cast(pl.Int64, strict=False), target, clock)


def _bool_as_int(values: pl.Series, target: Single, _: Clock) -> pl.Series:
    return values.cast(pl.Int64) if target.takes_bool else _empty(target, len(values))


def _text_as_bool(values: pl.Series, _: Single, __: Clock) -> pl.Series:
    lower = values.str.to_lowercase()
    return _where(lower == "true", (lower == "true") | (lower == "false"))


def _int_as_text(values: pl.Series, _: Single, __: Clock) -> pl.Series:
    return values.cast(pl.String)


def _number_as_time(values: pl.Series, _: Single, clock: Clock) -> pl.Series:
    return clock.from_numbers(values)


def _text_as_time(values: pl.Series, _: Single, clock: Clock) -> pl.Series:
    return clock.from_texts(values)


def _moment(values: pl.Series, _: Single, clock: Clock) -> pl.Series:
    return clock.from_moments(values)


def _local_as_time(values: pl.Series, _: Single, clock: Clock) -> pl.Series:
    return clock.from_local(values)


def _json(values: pl.Series | Sequence[Any], _: Single, __: Clock) -> pl.Series:
    return pl.Series([_as_json(value) for value in values], dtype=pl.String)


def _as_json(value: Any) -> str | None:
    try:
        return None if value is None else json_text(value)
    except WrongTypeError:
        return None


_CASTERS: dict[tuple[Sort, Kind], _Caster] = {
    (Sort.FLOAT, Kind.INT): _int_as_float,
    (Sort.FLOAT, Kind.FLOAT): _float,
    (Sort.FLOAT, Kind.TEXT): _text_as_float,
    (Sort.FLOAT, Kind.OTHER): _other_as_float,
    (Sort.INT, Kind.BOOL): _bool_as_int,
    (Sort.INT, Kind.INT): _int,
    (Sort.INT, Kind.FLOAT): _float_as_int,
    (Sort.INT, Kind.TEXT): _text_as_int,
    (Sort.BOOL, Kind.BOOL): _same,
    (Sort.BOOL, Kind.TEXT): _text_as_bool,
    (Sort.TEXT, Kind.TEXT): _same,
    (Sort.TEXT, Kind.INT): _int_as_text,
    (Sort.TIME, Kind.INT): _number_as_time,
    (Sort.TIME, Kind.FLOAT): _number_as_time,
    (Sort.TIME, Kind.TEXT): _text_as_time,
    (Sort.TIME, Kind.MOMENT): _moment,
    (Sort.TIME, Kind.LOCAL): _local_as_time,
    (Sort.JSON, Kind.TEXT): _same,
}


def as_bytes(group: Group) -> list[Any] | None:
    """Return the bytes of a group, of base64 where it is text; None for other kinds. False is no base64."""
    if group.kind is Kind.BYTES:
        return list(group.values)
    return [_decoded(value) for value in group.values] if group.kind is Kind.TEXT else None


def _decoded(text: str | None) -> bytes | bool | None:
    if not text:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
