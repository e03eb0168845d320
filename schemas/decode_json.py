"""JSON lines to a table: Arrow's parser for what is plain, the exact path for the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.errors import WireError
from schemas.plain_json import FEWEST, parse_plainly
from schemas.row_values import row_from_mapping
from schemas.step import PROPENSITY_ALIAS, WIRE_VERSION, wire_schema
from schemas.upgrades import upgrade

_PARTS = 8  # a batch that the parser refuses is cut into so many
_DEEPEST = 100
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.?)*+"?', re.DOTALL)  # one that does not end goes to the end
_BRACKETS = re.compile(rb"[\[\]{}]")


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
        if len(chosen) < FEWEST:
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
