"""JSON lines to a table: Arrow's parser for what is plain, the exact path for the rest."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from schemas.archive_spec import ArchiveSpec
from schemas.conform import conform
from schemas.errors import StepsError, WireError
from schemas.row_values import row_from_mapping
from schemas.spaces import Space
from schemas.step import PROPENSITY_ALIAS, WIRE_COLUMNS, WIRE_VERSION, wire_schema
from schemas.upgrades import upgrade

_PARTS = 8  # a batch that the parser refuses is cut into so many
_EXACT_BELOW = 64  # rows; smaller batches take the exact path at once
_BLOCK = 1 << 20
_DEFINED = frozenset({column.name for column in WIRE_COLUMNS} | {PROPENSITY_ALIAS, "version"})


class JsonLine(NamedTuple):
    """Hold one JSON object and where it came from."""

    message: int
    row: int
    text: bytes


Refused = list[tuple[JsonLine, WireError]]


def decode_json_lines(
    lines: Sequence[JsonLine], spec: ArchiveSpec, position: Callable[[JsonLine], str]
) -> tuple[pa.Table, list[JsonLine], Refused]:
    """Return a table, the lines that its rows came from, and the lines that were refused and why."""
    tables: list[pa.Table] = []
    kept: list[JsonLine] = []
    refused: Refused = []
    _decode(lines, spec, position, tables, kept, refused)
    schema = wire_schema(spec)
    return (pa.concat_tables(tables) if tables else schema.empty_table()), kept, refused


def _decode(
    lines: Sequence[JsonLine],
    spec: ArchiveSpec,
    position: Callable[[JsonLine], str],
    tables: list[pa.Table],
    kept: list[JsonLine],
    refused: Refused,
) -> None:
    table = _parse(lines, spec) if len(lines) >= _EXACT_BELOW else None
    if table is not None:
        tables.append(table)
        kept.extend(lines)
    elif len(lines) < _EXACT_BELOW:
        _decode_exactly(lines, spec, position, tables, kept, refused)
    else:
        size = -(-len(lines) // _PARTS)
        for start in range(0, len(lines), size):
            _decode(lines[start : start + size], spec, position, tables, kept, refused)


def _decode_exactly(
    lines: Sequence[JsonLine],
    spec: ArchiveSpec,
    position: Callable[[JsonLine], str],
    tables: list[pa.Table],
    kept: list[JsonLine],
    refused: Refused,
) -> None:
    rows = []
    for line in lines:
        try:
            rows.append(row_from_mapping(upgrade(_load(line.text), position(line)), spec))
        except WireError as exc:
            refused.append((line, exc))
        else:
            kept.append(line)
    if rows:
        tables.append(pa.Table.from_pylist(rows, schema=wire_schema(spec)))


def _load(text: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(text.decode(), object_pairs_hook=_unique)
    except RecursionError as exc:
        raise WireError("The JSON is nested too deeply.") from exc
    except ValueError as exc:  # also what is not UTF-8
        raise WireError(f"The JSON does not read: {exc}.", hint="Publish one JSON object.") from exc
    if not isinstance(record, dict):
        raise WireError(f"The JSON is a {type(record).__name__}, and an object is expected.")
    return record


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return record


def _parse(lines: Sequence[JsonLine], spec: ArchiveSpec) -> pa.Table | None:
    """Return the table, or None unless Arrow reads every line plainly as version 2."""
    if not all(line.text.startswith(b"{") and line.text.endswith(b"}") for line in lines):
        return None
    buffer = b"\n".join([line.text for line in lines])
    block = max(_BLOCK, max(len(line.text) for line in lines) + 1)
    schema = _json_schema(spec, lines[0].text)
    try:
        table = pyarrow.json.read_json(
            io.BytesIO(buffer),
            read_options=pyarrow.json.ReadOptions(block_size=block),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema),
        )
        # A line that holds two objects, or a newline inside one, would shift all rows after it.
        if table.num_rows != len(lines) or not _is_plain(table, schema):
            return None
        return conform(_with_bytes(table, spec), spec)
    except (pa.ArrowInvalid, StepsError):
        return None


def _json_schema(spec: ArchiveSpec, first: bytes) -> pa.Schema:
    """Return what the parser shall read: the wire's types, but bytes as text and times as they come."""
    try:
        time = json.loads(first).get("event_time")
    except (ValueError, RecursionError):
        time = None
    number = pa.int64() if isinstance(time, int) else pa.float64()
    kinds = {"event_time": number if isinstance(time, int | float) else pa.string()}
    fields = [pa.field(f.name, kinds.get(f.name) or _bytes_as_text(f.type)) for f in wire_schema(spec)]
    return pa.schema([*fields, pa.field(PROPENSITY_ALIAS, pa.float64()), pa.field("version", pa.int64())])


def _bytes_as_text(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_binary(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _bytes_as_text(field.type)) for field in kind])
    return kind


def _is_plain(table: pa.Table, schema: pa.Schema) -> bool:
    """Say whether there is nothing but known fields of version 2."""
    for name in table.column_names:
        if name not in schema.names:
            if table[name].null_count != table.num_rows:
                return False
        elif table[name].type != schema.field(name).type:  # a struct grew an unknown field
            return False
    versions = pc.drop_null(table["version"])
    return bool(pc.all(pc.equal(versions, WIRE_VERSION), min_count=0).as_py())


def _with_bytes(table: pa.Table, spec: ArchiveSpec) -> pa.Table:
    """Keep the wire's columns, text turned to bytes where the spec says bytes."""
    columns = {}
    for name in table.column_names:
        if name != "version" and (name in _DEFINED or name in spec.extras):
            column = table[name].combine_chunks()
            space = _space(name, spec)
            columns[name] = _decode_text(column, space.arrow_type) if space is not None else column
    return pa.table(columns)


def _space(name: str, spec: ArchiveSpec) -> Space | None:
    by_name = {
        "observation": spec.observation,
        "next_observation": spec.observation,
        "action": spec.action,
        **spec.extras,
    }
    return by_name.get(name)


def _decode_text(array: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_binary(target):
        decoded = pl.Series(array).str.decode("base64", strict=False).to_arrow().cast(pa.binary())
        if decoded.null_count != array.null_count:
            raise StepsError("A value is not base64.")
        return decoded
    if pa.types.is_struct(target) and array.type != target:
        children = [_decode_text(array.field(field.name), field.type) for field in target]
        mask = np.asarray(array.is_null())
        return pa.StructArray.from_arrays(children, fields=list(target), mask=pa.array(mask))
    return array
