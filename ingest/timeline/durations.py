"""Durations as people write them: 30m, 1h30m, 500ms, or a number of seconds."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
    "us": timedelta(microseconds=1),
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|d|h|m|s)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_LONGEST = timedelta(days=36_525)


def duration(value: object) -> timedelta:
    """Read a duration; raise ValueError where it is none, or is negative or beyond a hundred years."""
    found = _read(value)
    if not timedelta(0) <= found <= _LONGEST:
        raise ValueError("a duration from 0 to a hundred years is expected")
    return found


def duration_text(value: timedelta) -> str:
    """Write a duration so that `duration` reads the same one again."""
    rest = value // _UNITS["us"]
    parts = []
    for name, unit in _UNITS.items():
        count, rest = divmod(rest, unit // _UNITS["us"])
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"


def micros(value: timedelta) -> int:
    """Return a duration in microseconds."""
    return value // _UNITS["us"]


def _read(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        text = value.replace(" ", "")
        if text.replace(".", "", 1).isdecimal():
            return _read(float(text))
        if _WHOLE.fullmatch(text):
            return sum((float(count) * _UNITS[unit] for count, unit in _PART.findall(text)), timedelta(0))
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return timedelta(seconds=min(max(value, -1.0), 1e10))
    raise ValueError("a duration such as 30m, 1h30m, 500ms or a number of seconds is expected")


Duration = Annotated[
    timedelta, BeforeValidator(duration), PlainSerializer(duration_text, return_type=str, when_used="json")
]
