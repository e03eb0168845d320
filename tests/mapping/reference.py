"""The slow reference: one record at a time, in plain Python, without Polars and Arrow."""

from __future__ import annotations

import json
import math
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

MISSING = None
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NAMED = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)
_ABSENT: Any = object()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Bad(Exception):
    """Say that a value cannot be what is wanted."""


@dataclass(frozen=True)
class Want:
    """Want one value of a kind; a list of `size` of them where that is given."""

    kind: str  # float32, float64, int, bool, text, time, json
    size: int | None = None
    low: int = -(2**63)
    high: int = 2**63 - 1


def map_record(record: Mapping[str, Any], columns: Mapping[str, Any], wants: Mapping[str, Want]) -> Any:
    """Return the row, or the first column that cannot be made."""
    row = {}
    for name, form in columns.items():
        try:
            row[name] = column_of(record, form, wants[name])
        except Bad:
            return name
    return row


def column_of(record: Mapping[str, Any], form: Any, want: Want) -> Any:
    """Make one value of a column."""
    if want.size is not None:
        return vector_of(record, form, want)
    if isinstance(form, str):
        form = {"field": form}
    if "const" in form:
        return form["const"]
    if "hash" in form:
        text = category(look_up(record, form["hash"]))
        return None if text in (None, "") else zlib.crc32(text.encode()) % form["slots"]
    value = look_up(record, form["field"])
    return convert(value, form, want)


def vector_of(record: Mapping[str, Any], form: Any, want: Want) -> Any:
    """Make a vector: missing where all it reads is missing, bad where some is."""
    parts = form if isinstance(form, list) else form.get("vector", [form])
    rest = (want.size or 0) - sum(width(part) for part in parts)
    made = [part_of(record, part, want, rest) for part in parts]
    reading = [
        part
        for part, form in zip(made, parts, strict=True)
        if not (isinstance(form, dict) and "const" in form)
    ]
    if reading and all(part is MISSING for part in reading):
        return None
    if any(part is MISSING for part in made):
        raise Bad
    return [number for part in made for number in part]


def width(part: Any) -> int:
    """Return how many numbers a part gives; 0 for a list of any size."""
    if isinstance(part, str) or "field" in part or "const" in part:
        return 1
    if "one_hot" in part:
        return len(part["values"])
    if "hash" in part:
        return int(part["slots"])
    return len(part["keys"]) if "map" in part else 0


def part_of(record: Mapping[str, Any], part: Any, want: Want, rest: int) -> Any:
    """Make the numbers of a part."""
    if isinstance(part, str):
        part = {"field": part}
    if "const" in part:
        return [part["const"]]
    if "field" in part:
        value = convert(look_up(record, part["field"]), part, want)
        return MISSING if value is None else [value]
    if "one_hot" in part:
        return one_hot(look_up(record, part["one_hot"]), part)
    if "hash" in part:
        text = category(look_up(record, part["hash"]))
        if text in (None, ""):
            return MISSING
        slot = zlib.crc32(text.encode()) % part["slots"]
        return [int(place == slot) for place in range(part["slots"])]
    return elements(record, part, want, rest)


def one_hot(value: Any, part: Mapping[str, Any]) -> Any:
    """Put a 1 at the place of the category."""
    text = category(value)
    places = [str(one) for one in part["values"]]
    if text in ("", None) and "other" not in part:
        return MISSING
    if text not in places:
        if "other" not in part:
            raise Bad
        text = part["other"]
    return [int(place == text) for place in places]


def elements(record: Mapping[str, Any], part: Mapping[str, Any], want: Want, rest: int) -> Any:
    """Read a list or an object."""
    is_map = "map" in part
    value = loaded(look_up(record, part["map" if is_map else "list"]))
    if value is None or value == "":
        return MISSING
    if is_map:
        if not isinstance(value, Mapping):
            raise Bad
        held: Sequence[Any] = [value.get(key) for key in part["keys"]]
    else:
        if not isinstance(value, list):
            raise Bad
        held = list(flattened(value))
        if len(held) != rest:
            raise Bad
    made = [convert(one, part, want) for one in held]
    if None in made:
        raise Bad
    return made


def flattened(value: list[Any]) -> Any:
    """Iterate over the elements of lists in lists."""
    for one in value:
        if isinstance(one, list):
            yield from flattened(one)
        else:
            yield one


def loaded(value: Any) -> Any:
    """Read a text that is JSON."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def look_up(record: Mapping[str, Any], field: str) -> Any:
    """Follow a field's name, or a plain path."""
    if not field.startswith("$"):
        return record.get(field)
    value: Any = record
    for name, index in re.findall(r"\.(\w+)|\[(-?\d+)\]", field):
        if index:
            there = isinstance(value, list) and -len(value) <= int(index) < len(value)
            value = value[int(index)] if there else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def category(value: Any) -> str | None:
    """Return the text of a category."""
    if value is None or isinstance(value, str):
        if isinstance(value, str) and re.search("[\ud800-\udfff]", value):
            raise Bad
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    raise Bad


def convert(value: Any, form: Mapping[str, Any], want: Want) -> Any:
    """Bring one value to what is wanted."""
    if form.get("values"):
        text = category(value)
        table = {str(key): held for key, held in form["values"].items()}
        if text is None or (text == "" and "" not in table):
            return form.get("default")
        if text in table:
            return table[text]
        if "other" in form:
            return form["other"]
        raise Bad
    if value is None or value == "":
        return form.get("default")
    converter = {
        "bool": boolean,
        "int": lambda one: whole(one, want),
        "text": text_of,
        "time": lambda one: moment(one, form.get("time", "iso"), form.get("zone")),
        "json": as_json,
    }.get(want.kind, lambda one: number(one, want))
    return converter(value)


def boolean(value: Any) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Bad


def whole(value: Any, want: Want) -> int:
    """Read a whole number."""
    if isinstance(value, str):
        if not re.fullmatch(r"[+-]?[0-9]+", value):
            raise Bad
        value = int(value)
    if isinstance(value, float):
        if not (math.isfinite(value) and value.is_integer()):
            raise Bad
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not want.low <= value <= want.high:
        raise Bad
    return value


def number(value: Any, want: Want) -> float:
    """Read a number."""
    if isinstance(value, bool):
        raise Bad
    if isinstance(value, str):
        if not (_FLOAT.fullmatch(value) and value.isascii()) and not _NAMED.fullmatch(value):
            raise Bad
        made = float(value)
        if math.isinf(made) and not _NAMED.fullmatch(value):
            raise Bad
    elif isinstance(value, int | float):
        try:
            made = float(value)
        except OverflowError as exc:
            raise Bad from exc
    else:
        raise Bad
    if want.kind == "float32":
        if math.isfinite(made) and abs(made) > 3.4028234663852886e38:
            raise Bad
        return float(struct.unpack("f", struct.pack("f", made))[0])
    return made


def text_of(value: Any) -> str:
    """Read a text, or the digits of a whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Bad
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise Bad
    text = str(value)
    if re.search("[\ud800-\udfff]", text):
        raise Bad
    return text


def as_json(value: Any) -> str:
    """Write JSON text."""
    if isinstance(value, str):
        return text_of(value)
    return json.dumps(value, separators=(",", ":"))


def moment(value: Any, form: str, zone: str | None) -> datetime:
    """Read a time."""
    micros = {"epoch_s": 10**6, "epoch_ms": 10**3, "epoch_us": 1}.get(form)
    try:
        if micros is not None:
            return _EPOCH + timedelta(microseconds=_count(value, micros))
        if not isinstance(value, str):
            raise Bad
        if form == "iso":
            time = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value, count=1))
        else:
            time = datetime.strptime(value, form)
        return _placed(time, zone) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise Bad from exc


def _count(value: Any, micros: int) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+", value):
        value = int(value)
    if isinstance(value, bool):
        raise Bad
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise Bad
        return value * micros
    seconds = number(value, Want("float64"))
    if not math.isfinite(seconds):
        raise Bad
    return round(seconds * float(micros))


def _placed(time: datetime, zone: str | None) -> datetime:
    """Place a time without a zone; where the clock was changed it is no one moment."""
    if zone is None:
        raise Bad
    both = [time.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)]
    if both[0] != both[1]:
        raise Bad
    return both[0]
