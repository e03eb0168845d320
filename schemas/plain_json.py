"""Many JSON lines at once, by Arrow's parser, as long as every one of them is plain.

What the parser takes and the exact path does not, or reads otherwise, is looked for: then nothing is read
here, and the exact path decides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from schemas.archive_spec import ArchiveSpec
from schemas.conform import conform
from schemas.errors import StepsError
from schemas.step import PROPENSITY_ALIAS, WIRE_COLUMNS, WIRE_VERSION, wire_schema

FEWEST = 64  # rows; fewer are read sooner by the exact path
_BLOCK = 1 << 20
_ALWAYS_TOLD = frozenset({"event_time", "version"})
_FIRST, _LAST = itemgetter(0), itemgetter(-1)
_DEFINED = frozenset({column.name for column in WIRE_COLUMNS} | {PROPENSITY_ALIAS, "version"})


def parse_plainly(lines: Sequence[bytes], spec: ArchiveSpec) -> pa.Table | None:
    """Return the table, or None unless Arrow reads every line plainly as an object of version 2."""
    if len(lines) < FEWEST:
        return None
    buffer = b"\n".join(lines)
    if not _is_row_by_line(buffer, lines):
        lines = [line.strip() for line in lines]
        buffer = b"\n".join(lines)
        if not _is_row_by_line(buffer, lines):
            return None
    if not _is_utf8(buffer):  # the parser does not look
        return None
    block = max(_BLOCK, max(map(len, lines)) + 1)
    known = _json_schema(spec, lines[0])
    usual = pa.schema([field for field in known if field.name in _ALWAYS_TOLD | _keys(lines[0]).keys()])
    try:
        # To tell the parser of columns that are not there costs a fifth of its time.
        for told in (usual, known):
            table = _parse(buffer, told, block)
            if table.num_rows != len(lines):
                return None
            if _is_plain(table, known):
                return conform(_as_wire(table, spec), spec)
            if set(table.column_names) <= set(told.names):
                return None
    except (pa.ArrowInvalid, StepsError):
        return None
    return None


def _parse(buffer: bytes, told: pa.Schema, block: int) -> pa.Table:
    return pyarrow.json.read_json(
        pa.BufferReader(buffer),
        read_options=pyarrow.json.ReadOptions(block_size=block),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=told),
    )


def _is_row_by_line(buffer: bytes, lines: Sequence[bytes]) -> bool:
    """Say whether no line can hold two objects, or a part of one, without the parser's refusal.

    So it is where each starts as an object and ends as one, and none is broken.
    """
    return (
        all(lines)
        and buffer.count(b"\n") == len(lines) - 1
        and bytes(map(_FIRST, lines)).count(b"{") == len(lines)
        and bytes(map(_LAST, lines)).count(b"}") == len(lines)
    )


def _keys(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _json_schema(spec: ArchiveSpec, first: bytes) -> pa.Schema:
    """Return what the parser shall read: the wire's types as JSON writes them, event times as they come."""
    time = _keys(first).get("event_time")
    number = pa.int64() if isinstance(time, int) else pa.float64()
    kinds = {"event_time": number if isinstance(time, int | float) else pa.string()}
    fields = [pa.field(f.name, kinds.get(f.name) or _as_written(f.type)) for f in wire_schema(spec)]
    return pa.schema([*fields, pa.field(PROPENSITY_ALIAS, pa.float64()), pa.field("version", pa.int64())])


def _as_written(kind: pa.DataType) -> pa.DataType:
    """Return the type by which the parser reads what the exact path would.

    Bytes are text, and so are times, since the parser takes one without a zone for UTC. Floats are
    rounded to 64 bits first, as Python does: to 32 bits at once, some come out otherwise.
    """
    if pa.types.is_binary(kind) or pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_list(kind):
        return pa.list_(_as_written(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _as_written(field.type)) for field in kind])
    return kind


def _is_plain(table: pa.Table, known: pa.Schema) -> bool:
    """Say whether there is nothing but known fields of version 2, and all numbers are finite.

    The parser takes `Inf` for a number, and reads some numbers that are too large as infinity. Of a column
    that it was not told of it guesses the type, and only the type that it should have is taken.
    """
    for name in table.column_names:
        column = table[name]
        if name not in known.names:
            if column.null_count != table.num_rows:
                return False
        elif column.type != known.field(name).type:  # also where a struct grew an unknown field
            return False
        elif not all(map(_is_finite, column.chunks)):
            return False
    versions = pc.drop_null(table["version"])
    return bool(pc.all(pc.equal(versions, WIRE_VERSION), min_count=0).as_py())


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_finite(array: pa.Array) -> bool:
    if pa.types.is_struct(array.type):
        return all(_is_finite(array.field(index)) for index in range(array.type.num_fields))
    if pa.types.is_list(array.type):
        return _is_finite(array.values)
    if not pa.types.is_floating(array.type):
        return True
    return bool(pc.all(pc.is_finite(array), min_count=0).as_py())


def _as_wire(table: pa.Table, spec: ArchiveSpec) -> pa.Table:
    """Keep the wire's columns, text turned to bytes where the spec says bytes."""
    columns = {}
    for name in table.column_names:
        if name != "version" and (name in _DEFINED or name in spec.extras):
            column = table[name].combine_chunks()
            space = spec.spaces.get(name)
            columns[name] = _decode_text(column, space.arrow_type) if space is not None else column
    return pa.table(columns)


def _decode_text(array: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_binary(target):
        decoded = pl.Series(array).str.decode("base64", strict=False).to_arrow().cast(pa.binary())
        if decoded.null_count != array.null_count:
            raise StepsError("A value is not base64.")
        return decoded
    if pa.types.is_struct(target) and array.type != target:
        children = [_decode_text(array.field(field.name), field.type) for field in target]
        names = [field.name for field in target]
        return pa.StructArray.from_arrays(children, names, mask=array.is_null())
    return array
