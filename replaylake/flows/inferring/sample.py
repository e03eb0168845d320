"""The sample that a proposal is made of: the first records of a file, as fields."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import polars as pl

from ingest.records import Records
from ingest.sources.options import SourceOptions
from ingest.sources.reading import open_records
from replaylake.flows.inferring.fields import Field
from schemas.errors import UsageError

MOST_RECORDS = 10_000
_DEEPEST = 4  # of objects in objects
_DELIMITERS = (";", "\t", "|")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, eq=False)
class Sample:
    """Hold the first records of a file, by field, and how they were read."""

    path: str
    source: SourceOptions
    said: dict[str, Any]  # what the mapping has to say of the source
    batches: tuple[Records, ...]
    fields: tuple[Field, ...]
    records: int
    unreadable: int
    notes: tuple[str, ...]


def read_sample(path: str) -> Sample:
    """Read the first records of a file; raise UsageError where it has none.

    A CSV of another delimiter, and a JSON document whose records are inside, are found out.
    """
    options, notes = SourceOptions(), []
    said: dict[str, Any] = {}
    csv: dict[str, Any] = {}
    batches = _first(path, options)
    delimiter = _other_delimiter(batches)
    if delimiter is not None:
        csv = {"delimiter": delimiter}
        said = {"format": "csv", "csv": csv}
        notes.append(f"the columns are parted by {delimiter!r}")
    inner = _inner_records(batches)
    if inner is not None:
        said = {"format": "json", "records": inner}
        notes.append(f"the records are at {inner} of one document")
    if said:
        options = SourceOptions.model_validate(said)
        batches = _first(path, options)
    nulls = _nulls(batches)
    if nulls:
        said = {"format": "csv", "csv": {**csv, "nulls": nulls}}
        notes.append(f"{', '.join(nulls)} among numbers is read as missing")
        options = SourceOptions.model_validate(said)
        batches = _first(path, options)
    records = sum(len(batch) for batch in batches)
    if not records:
        raise UsageError(f"The file {path!r} has no records.", hint="Give one that has some.")
    fields = tuple(_fields(batches))
    unreadable = sum(len(batch.refused) for batch in batches)
    return Sample(path, options, said, batches, fields, records, unreadable, tuple(notes))


def _first(path: str, options: SourceOptions) -> tuple[Records, ...]:
    found: list[Records] = []
    count = 0
    with closing(open_records(path, options)) as batches:  # type: ignore[type-var]
        for batch in batches:
            found.append(_cut(batch, MOST_RECORDS - count))
            count += len(found[-1])
            if count >= MOST_RECORDS:
                break
    return tuple(found)


def _cut(batch: Records, most: int) -> Records:
    if len(batch) <= most:
        return batch
    return Records(batch.fields[:most], batch.ids[:most], batch.raw, batch.refused)


def _other_delimiter(batches: Sequence[Records]) -> str | None:
    if not batches or not isinstance(batches[0].fields, pl.DataFrame) or batches[0].fields.width != 1:
        return None
    head = batches[0].fields.columns[0]
    return next((sign for sign in _DELIMITERS if sign in head), None)


def _nulls(batches: Sequence[Records]) -> list[str]:
    """Find the texts that stand for a missing number in a table of text."""
    if not batches or not isinstance(batches[0].fields, pl.DataFrame):
        return []
    if any(type_ != pl.String for type_ in batches[0].fields.dtypes):
        return []
    return sorted({text for field in _fields(batches) for text in field.nulls})


def _inner_records(batches: Sequence[Records]) -> str | None:
    """Find the list of objects in a document that is the only record."""
    if len(batches) != 1 or len(batches[0]) != 1 or isinstance(batches[0].fields, pl.DataFrame):
        return None
    for name, value in batches[0].fields[0].items():
        if isinstance(value, list) and len(value) > 1 and all(isinstance(one, Mapping) for one in value):
            return f"{path_text((name,))}[*]"
    return None


def _fields(batches: Sequence[Records]) -> list[Field]:
    columns: dict[tuple[str, ...], list[Any]] = {}
    done = 0
    for batch in batches:
        if isinstance(batch.fields, pl.DataFrame):
            for name in batch.fields.columns:
                column = columns.setdefault((name,), [None] * done)
                column.extend(batch.fields[name].to_list())
            done += len(batch)
            continue
        for record in batch.fields:
            for keys, value in _leaves(record, ()):
                column = columns.setdefault(keys, [])
                column.extend([None] * (done - len(column)))
                column.append(value)
            done += 1
    return [Field(_name(keys), [*values, *[None] * (done - len(values))]) for keys, values in columns.items()]


def _leaves(record: Mapping[str, Any], above: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """Return the values of an object, and of objects in it."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, value in record.items():
        keys = (*above, name)
        if isinstance(value, Mapping) and value and len(keys) < _DEEPEST:
            found += _leaves(value, keys)
        else:
            found.append((keys, value))
    return found


def _name(keys: tuple[str, ...]) -> str:
    return keys[0] if len(keys) == 1 and not keys[0].startswith("$") else path_text(keys)


def path_text(keys: Sequence[str]) -> str:
    """Write the JSONPath of keys."""
    return "$" + "".join(f".{key}" if _PLAIN.fullmatch(key) else f"[{json.dumps(key)}]" for key in keys)
