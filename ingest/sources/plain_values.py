"""Values of typed sources as JSON has them: for records, and for the bytes of those that are refused."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from schemas.errors import DataError


def plain(value: Any) -> Any:
    """Return a value with nothing in it but what JSON has: times as ISO 8601, bytes as base64."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return _leaf(value)


def content_of(record: Mapping[str, Any]) -> bytes:
    """Return a record of a typed source as JSON text."""
    try:
        return orjson.dumps(record, default=_leaf, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:  # an integer of more than 64 bits, half a character
        return repr(plain(record)).encode(errors="backslashreplace")


def _leaf(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if hasattr(value, "total_seconds"):
        return value.total_seconds()
    raise DataError(f"A value of the type {type(value).__name__} cannot be read.")
