"""Which field says when, and how it writes it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from replaylake.flows.inferring.draft import Draft, blank, counted
from replaylake.flows.inferring.fields import Field

_YEARS = (datetime(1995, 1, 1).timestamp(), datetime(2100, 1, 1).timestamp())
_EPOCHS = {"epoch_s": 1.0, "epoch_ms": 1e3, "epoch_us": 1e6}
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(?P<zone>[Zz]|[+-]\d\d:?\d\d)?")
_FORMATS = (
    "%Y/%m/%d %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%b/%Y:%H:%M:%S %z",
    "%Y%m%d%H%M%S",
)
_ZONE = "the zone of these times, such as UTC or Europe/Berlin"


def decide_time(draft: Draft) -> None:
    """Decide event_time, by the names of fields and by values that read as times."""
    by_name = draft.candidates("event_time")
    by_value = [one for one in draft.rest() if one not in by_name and one.kind in ("time", "text")]
    for field in [*by_name, *by_value]:
        form, why = _form_of(field, is_named=field in by_name)
        if form is None:
            continue
        draft.choose("event_time", form, [field], why)
        if "zone" in form:
            draft.undecided.append(f"event_time: {_ZONE}")
        if _is_ambiguous(field, form):
            draft.notes.append(f"{field.name!r} may be written day first or month first: look at event_time.")
        return
    draft.notes.append("No field says when a record happened: the time of publishing stands for it.")


def _is_ambiguous(field: Field, form: dict[str, Any]) -> bool:
    """Say whether the day and the month of the times may as well be the other way round."""
    pattern = form.get("time", "")
    if not pattern.startswith("%d/%m/"):
        return False
    texts = pl.Series([str(value) for value in field.present], dtype=pl.String)
    return texts.str.to_datetime(pattern.replace("%d/%m", "%m/%d"), strict=False).null_count() == 0


def _form_of(field: Field, *, is_named: bool) -> tuple[dict[str, Any] | None, str]:
    count = len(field.present)
    if not count:
        return None, ""
    if field.kind == "time":
        zoned = all(getattr(value, "tzinfo", None) is not None for value in field.present)
        form = {"field": field.name} if zoned else {"field": field.name, "zone": blank(_ZONE)}
        return form, f"times in {counted(count, count)}"
    if field.kind in ("int", "number"):
        return _epoch(field) if is_named else (None, "")
    if field.kind != "text":
        return None, ""
    return _written(field)


def _epoch(field: Field) -> tuple[dict[str, Any] | None, str]:
    held = field.numbers[~np.isnan(field.numbers)]
    for name, scale in _EPOCHS.items():
        low, high = held.min() / scale, held.max() / scale
        if _YEARS[0] <= low and high <= _YEARS[1]:
            first, last = (datetime.fromtimestamp(one).date().isoformat() for one in (low, high))
            return {"field": field.name, "time": name}, f"numbers that are {name} from {first} to {last}"
    return None, ""


def _written(field: Field) -> tuple[dict[str, Any] | None, str]:
    texts = [str(value).encode(errors="replace").decode() for value in field.present]
    matches = [_ISO.fullmatch(text) for text in texts]
    fitting = sum(match is not None for match in matches)
    if fitting >= 0.9 * len(texts):
        naive = any(match is not None and match["zone"] is None for match in matches)
        form: dict[str, Any] = {"field": field.name, "time": "iso"}
        if naive:
            form["zone"] = blank(_ZONE)
        return form, f"ISO 8601 in {counted(fitting, len(texts))}{', without a zone' if naive else ''}"
    series = pl.Series(texts, dtype=pl.String)
    for pattern in _FORMATS:
        read = series.str.to_datetime(pattern, strict=False)
        fitting = len(read) - read.null_count()
        if fitting >= 0.9 * len(texts):
            form = {"field": field.name, "time": pattern}
            if "%z" not in pattern:
                form["zone"] = blank(_ZONE)
            return form, f"{pattern} in {counted(fitting, len(texts))}"
    return None, ""
