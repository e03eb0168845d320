"""What the readers share: rows in one plain form, and whether they are those that were written.

A reader is a program of its own: `python -m tests.interop.readers.with_polars WRITTEN.json`, with the options
of the store as JSON on its standard input. It imports the library that it is named for, this module, and
nothing of replaylake.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

OURS = ("schemas", "ingest", "validation", "lake", "training", "replaylake")
Row = dict[str, Any]
Table = dict[str, Any]
Condition = tuple[str, str, Any]  # a column, one of = >= is, and a value, which is None after `is`
Read = Callable[[Table, dict[str, str], Condition | None], Iterable[Mapping[str, Any]]]
Adapt = Callable[[Table, str, Any], Any]  # of a table, a column, and a value in its plain form


def plain(value: Any) -> Any:
    """Return a value as JSON holds it, so that NaN, infinity, bytes and times compare by what they are."""
    if hasattr(value, "asDict"):
        value = value.asDict()
    elif hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return f"float {value!r}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"bytes {bytes(value).hex()}"
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return f"time {moment:%Y-%m-%dT%H:%M:%S.%f}"
    if isinstance(value, Mapping):
        return {name: plain(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(held) for held in value]
    return value


def _as_it_is(table: Table, column: str, value: Any) -> Any:
    return value


def main(library: str, version: str, read: Read, adapt: Adapt = _as_it_is, *, asks: bool = True) -> None:
    """Read every table, whole and (where it `asks`) by its conditions, and print what was compared.

    `adapt` changes what is expected, where the library has no such value.
    """
    with open(sys.argv[1], encoding="utf-8") as file:
        written = json.load(file)
    options = json.load(sys.stdin)
    compared: Counter[str] = Counter()
    problems: list[str] = []
    for table in written["tables"]:
        rows = [{name: plain(row[name]) for name in table["columns"]} for row in read(table, options, None)]
        problems += _differences(table, rows, adapt)
        compared["tables"] += 1
        compared["rows"] += len(rows)
        compared["values"] += len(rows) * len(table["columns"])
        for condition in table["conditions"] if asks else ():
            asked = (condition["column"], condition["sign"], _moment(condition["value"]))
            found = sorted(plain(row[table["key"]]) for row in read(table, options, asked))
            if found != condition["keys"]:
                problems.append(f"{table['name']} where {asked}: {found}, not {condition['keys']}")
            compared["conditions"] += 1
    imported = sorted(name for name in sys.modules if name.partition(".")[0] in OURS)
    if imported:
        problems.append(f"{library} does not read alone: {imported} are imported")
    if problems:
        sys.exit("\n".join([f"{library} {version} reads other rows than were written:", *problems[:20]]))
    sys.stdout.write(json.dumps({"library": library, "version": version, **compared}) + "\n")


def _moment(value: Any) -> Any:
    """Return a time that `plain` has written; any other value as it is."""
    if isinstance(value, str) and value.startswith("time "):
        return datetime.fromisoformat(value.removeprefix("time ")).replace(tzinfo=UTC)
    return value


def _differences(table: Table, rows: list[Row], adapt: Adapt) -> list[str]:
    key = table["key"]
    found = {row[key]: row for row in rows}
    expected = {row[key]: row for row in table["rows"]}
    if len(found) != len(rows) or found.keys() != expected.keys():
        more, less = sorted(found.keys() - expected.keys()), sorted(expected.keys() - found.keys())
        return [f"{table['name']}: {len(rows)} rows, not {len(expected)}; too many {more}, missing {less}"]
    return [
        f"{table['name']} {row_key}: {name} is {found[row_key][name]!r}, not {value!r}"
        for row_key, row in expected.items()
        for name, value in ((name, adapt(table, name, held)) for name, held in row.items())
        if found[row_key][name] != value
    ]
