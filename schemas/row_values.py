"""One row at a time: from JSON or Python values to Arrow values and back.

This is the exact path. The bulk decoder sends here what its fast path does not read, so that what is
refused, and why, is decided in one place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from schemas.archive_spec import ArchiveSpec
from schemas.errors import WireError
from schemas.shown import shown, unknown_field
from schemas.space_values import (
    WrongTypeError,
    from_plain,
    from_space,
    json_text,
    number,
    plain_to_json,
    space_to_json,
)
from schemas.spaces import Space
from schemas.step import PROPENSITY_ALIAS, WIRE_COLUMNS, Column


def row_from_mapping(record: Mapping[str, Any], spec: ArchiveSpec) -> dict[str, Any]:
    """Return the record's values as Arrow takes them, defaults filled in.

    Raise WireError with the reason `unknown_field(x)` or `wrong_type(x)`.
    """
    spaces = spec.spaces
    row: dict[str, Any] = {}
    for column in WIRE_COLUMNS:
        value = record.get(column.name)
        row[column.name] = column.default if value is None else _value(column, spaces, value)
    for name in spec.extras:
        row[name] = None if record.get(name) is None else _value(Column(name, None), spaces, record[name])
    _take_propensity(record, row)
    for name, value in record.items():
        if name not in row and name not in (PROPENSITY_ALIAS, "version") and value is not None:
            raise WireError(
                f"The field {shown(name)} is not one of the step or of the spec's extras.",
                reason=unknown_field(str(name)),
                hint="Rename it, map it, or declare it under `extras` in the archive's spec.",
            )
    return row


def row_to_json(row: Mapping[str, Any], spec: ArchiveSpec) -> dict[str, Any]:
    """Return a row of Arrow values as JSON takes them; nulls are left out."""
    record: dict[str, Any] = {}
    spaces = spec.spaces
    for name, value in row.items():
        if value is None:
            continue
        space = spaces.get(name)
        record[name] = plain_to_json(value) if space is None else space_to_json(space, value)
    return record


def _value(column: Column, spaces: Mapping[str, Space], value: Any) -> Any:
    try:
        if column.name == "info":
            return json_text(value)
        if column.type is None:
            return from_space(spaces[column.name], value)
        return from_plain(column.type, value)
    except WrongTypeError as exc:
        raise _wrong_type(column.name, value, exc) from exc


def _wrong_type(name: str, value: object, exc: WrongTypeError) -> WireError:
    return WireError(
        f"{name} is {shown(value)}, and {exc}.",
        reason=f"wrong_type({name})",
        hint="Publish the type that the archive's spec says.",
    )


def _take_propensity(record: Mapping[str, Any], row: dict[str, Any]) -> None:
    value = record.get(PROPENSITY_ALIAS)
    if value is None:
        return
    if row["action_log_prob"] is not None:
        raise WireError(
            "The record has both action_log_prob and action_probability.",
            reason="wrong_type(action_probability)",
            hint="Give one of them.",
        )
    try:
        probability = number(value)
    except WrongTypeError as exc:
        raise _wrong_type(PROPENSITY_ALIAS, value, exc) from exc
    if probability > 0:
        row["action_log_prob"] = math.log(probability)
    else:  # as Arrow's logarithm has it; the gate refuses both
        row["action_log_prob"] = -math.inf if probability == 0 else math.nan
