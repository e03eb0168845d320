"""JSON lines to a table: Arrow's parser for what is plain, the exact path for the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.conform import conform
from schemas.errors import StepsError, WireError
from schemas.row_values import row_from_mapping
from schemas.step import PROPENSITY_ALIAS, WIRE_COLUMNS, WIRE_VERSION, wire_schema
from schemas.upgrades import upgrade

_PARTS = 8  # a batch that the parser refuses is cut into so many
_EXACT_BELOW = 64  # rows; smaller batches take the exact path at once
_BLOCK = 1 << 20
_DEEPEST = 100
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.?)*+"?', re.DOTALL)  # one that does not end goes to the end
_BRACKETS = re.compile(rb"[\[\]{}]")
_DEFINED = frozenset({column.name for column in WIRE_COLUMNS} | {PROPENSITY_ALIAS, "version"})


Refused = list[tuple[int, WireError]]


class JsonDecoder:
    """Decode the JSON lines of one archive; `position` names a line's place in the stream."""

    def __init__(self, spec: ArchiveSpec, position: Callable[[int], str]) -> None:
        self._spec = spec
        self._position = position
        self._tables: list[pa.Table] = []
        self._kept: list[NDArray[np.int64]] = []
        self._refused: Refused = []

    def decode(self, lines: Sequence[bytes]) -> tuple[pa.Table, NDArray[np.int64], Refused]:
        """Return a table, the lines that its rows came from in order, and what was refused and why."""
        every = np.arange(len(lines))
        if self._decode_plainly(lines, every):
            return self._tables[0], every, []
        kinds = _json_kinds(self._spec)
        odd = np.fromiter((_is_odd(line, kinds) for line in lines), dtype=bool, count=len(lines))
        self._decode_in_parts(lines, every[~odd])
        self._decode_exactly(lines, every[odd])
        kept = np.concatenate(self._kept)
        order = np.argsort(kept, kind="stable")
        return pa.concat_tables(self._tables).take(order), kept[order], self._refused

    def _decode_plainly(self, lines: Sequence[bytes], chosen: NDArray[np.int64]) -> bool:
        table = parse_plainly([lines[place] for place in chosen], self._spec)
        if table is None:
            return False
        self._tables.append(table)
        self._kept.append(chosen)
        return True

    def _decode_in_parts(self, lines: Sequence[bytes], chosen: NDArray[np.int64]) -> None:
        """Decode lines that look plain: where the parser refuses all the same, cut down to those at fault."""
        if self._decode_plainly(lines, chosen):
            return
        if len(chosen) < _EXACT_BELOW:
            self._decode_exactly(lines, chosen)
            return
        for part in np.array_split(chosen, _PARTS):
            self._decode_in_parts(lines, part)

    def _decode_exactly(self, lines: Sequence[bytes], chosen: NDArray[np.int64]) -> None:
        rows, kept = [], []
        for place in chosen.tolist():
            try:
                record = upgrade(_load(lines[place]), self._position(place))
                rows.append(row_from_mapping(record, self._spec))
            except WireError as exc:
                self._refused.append((place, exc))
            else:
                kept.append(place)
        self._tables.append(pa.Table.from_pylist(rows, schema=wire_schema(self._spec)))
        self._kept.append(np.array(kept, dtype=np.int64))


def _is_odd(text: bytes, kinds: Mapping[str, tuple[type, ...]]) -> bool:
    """Say whether Arrow's parser would refuse a line, or not read it as version 2; cheap, not exact."""
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:
        return True
    if type(record) is not dict:
        return True
    for name, value in record.items():
        if value is not None and type(value) not in kinds.get(name, ()):
            return True
    return record.get("version") not in (None, WIRE_VERSION)


def _json_kinds(spec: ArchiveSpec) -> dict[str, tuple[type, ...]]:
    """Return the Python types by which the parser's own reading of each field shows."""
    kinds = {field.name: _kinds_of(field.type) for field in wire_schema(spec)}
    return {**kinds, "event_time": (str, int, float), PROPENSITY_ALIAS: (int, float), "version": (int,)}


def _kinds_of(kind: pa.DataType) -> tuple[type, ...]:
    if pa.types.is_boolean(kind):
        return (bool,)
    if pa.types.is_integer(kind):
        return (int,)
    if pa.types.is_floating(kind):
        return (int, float)
    if pa.types.is_list(kind):
        return (list,)
    return (dict,) if pa.types.is_struct(kind) else (str,)


def _load(text: bytes) -> Mapping[str, Any]:
    # The limit is ours, not that of the stack: a verdict must not depend on who calls.
    if text.count(b"[") + text.count(b"{") > _DEEPEST and _depth(text) > _DEEPEST:
        raise WireError(f"The JSON is nested more than {_DEEPEST} deep.")
    try:
        record = json.loads(text.decode(), object_pairs_hook=_unique, parse_int=_number)
    except ValueError as exc:  # also what is not UTF-8
        raise WireError(f"The JSON does not read: {exc}.", hint="Publish one JSON object.") from exc
    if not isinstance(record, dict):
        raise WireError(f"The JSON is a {type(record).__name__}, and an object is expected.")
    return record


def _depth(text: bytes) -> int:
    """Return how deep brackets are nested outside of strings."""
    depth = deepest = 0
    for mark in _BRACKETS.findall(_STRINGS.sub(b"", text)):
        depth += 1 if mark in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _number(digits: str) -> int | float:
    return -0.0 if digits == "-0" else int(digits)  # the sign is kept, as the parser does


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return record


def parse_plainly(lines: Sequence[bytes], spec: ArchiveSpec) -> pa.Table | None:
    """Return the table, or None unless Arrow reads every line plainly as an object of version 2."""
    if len(lines) < _EXACT_BELOW:
        return None
    buffer = b"\n".join(lines)
    # So that a line is a row: none holds two objects or a part of one where every break is of this form.
    if not len(lines) - 1 == buffer.count(b"}\n{") == buffer.count(b"\n"):
        buffer = b"\n".join([line.strip() for line in lines])
        if not len(lines) - 1 == buffer.count(b"}\n{") == buffer.count(b"\n"):
            return None
    if not _is_utf8(buffer):  # the parser does not look
        return None
    schema = _json_schema(spec, lines[0])
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(buffer),
            read_options=pyarrow.json.ReadOptions(block_size=max(_BLOCK, max(map(len, lines)) + 1)),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema),
        )
        if table.num_rows != len(lines) or not _is_plain(table, schema):
            return None
        return conform(_as_wire(table, spec), spec)
    except (pa.ArrowInvalid, StepsError):
        return None


def _json_schema(spec: ArchiveSpec, first: bytes) -> pa.Schema:
    """Return what the parser shall read: the wire's types as JSON writes them, event times as they come."""
    try:
        time = json.loads(first).get("event_time")
    except (ValueError, RecursionError):
        time = None
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


def _is_plain(table: pa.Table, schema: pa.Schema) -> bool:
    """Say whether there is nothing but known fields of version 2, and all numbers are finite.

    The parser takes `Inf` for a number, and reads some numbers that are too large as infinity.
    """
    for name in table.column_names:
        if name not in schema.names:
            if table[name].null_count != table.num_rows:
                return False
        elif table[name].type != schema.field(name).type:  # a struct grew an unknown field
            return False
        elif not all(map(_is_finite, table[name].chunks)):
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
