"""From messages to one table, in bulk: what does not decode is set aside with its reason, alone.

Messages of one form that stand together are read together. JSON goes through Arrow's parser as long as
it can; where that refuses, the batch is halved down to the rows that are at fault, and those take the
exact path of `row_values`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.conform import conform
from schemas.decode_json import JsonDecoder
from schemas.errors import StepsError, WireError
from schemas.plain_json import parse_plainly
from schemas.protocols import Message
from schemas.step import wire_schema
from schemas.wire import Form, decode_arrow, form_of, refusal_of

_VALUE = itemgetter(Message._fields.index("value"))
_HEADERS = itemgetter(Message._fields.index("headers"))


@dataclass(frozen=True, slots=True)
class Fault:
    """Say why a message, or a line of one, did not decode."""

    message: int  # index in the batch of messages
    row: int  # line in the message that is not blank; 0 for a whole message
    raw: bytes
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Hold what decoded, in the order of the messages, and what did not."""

    table: pa.Table  # with the wire columns
    message: NDArray[np.int64]  # (N,) index in the batch of messages
    row: NDArray[np.int64]  # (N,) row within the message
    faults: tuple[Fault, ...]  # in the order of the messages, too


@dataclass(slots=True)
class _Piece:
    table: pa.Table
    message: NDArray[np.int64]
    row: NDArray[np.int64]


def decode(messages: Sequence[Message], spec: ArchiveSpec, topic_id: str) -> Decoded:
    """Decode messages of an archive's topic. Nothing is raised for what they hold: see `faults`."""
    plain = _decode_plainly(messages, spec)
    if plain is not None:
        return plain
    pieces: list[_Piece] = []
    faults: list[Fault] = []
    for form, indices in _runs(messages, faults):
        if form is Form.REFUSED:
            faults.extend(
                _fault(index, 0, messages[index].value, refusal_of(messages[index].headers))
                for index in indices
            )
        elif form is Form.ARROW:
            pieces.extend(_decode_arrow_run(indices, messages, spec, faults))
        else:
            pieces.extend(_decode_json_run(form, indices, messages, spec, topic_id, faults))
    if not pieces:
        empty = np.empty(0, dtype=np.int64)
        return Decoded(wire_schema(spec).empty_table(), empty, empty, _in_order(faults))
    return Decoded(
        pa.concat_tables([piece.table for piece in pieces]),
        np.concatenate([piece.message for piece in pieces]),
        np.concatenate([piece.row for piece in pieces]),
        _in_order(faults),
    )


def _decode_plainly(messages: Sequence[Message], spec: ArchiveSpec) -> Decoded | None:
    """Decode many messages of one plain JSON object each, as most outside producers send, without a look
    at the single one; None where that is not what they are.
    """
    if not messages or not messages[0].value.startswith(b"{") or any(map(_HEADERS, messages)):
        return None
    table = parse_plainly(list(map(_VALUE, messages)), spec)
    if table is None:
        return None
    every = np.arange(len(messages))
    return Decoded(table, every, np.zeros(len(messages), dtype=np.int64), ())


def _in_order(faults: list[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: (fault.message, fault.row)))


def _runs(messages: Sequence[Message], faults: list[Fault]) -> Iterable[tuple[Form, list[int]]]:
    """Iterate over the runs of messages of one form; what has none is a fault."""
    forms = [_form_or_fault(index, message, faults) for index, message in enumerate(messages)]
    for form, run in groupby(range(len(forms)), key=forms.__getitem__):
        if form is not None:
            yield form, list(run)


def _form_or_fault(index: int, message: Message, faults: list[Fault]) -> Form | None:
    try:
        return form_of(message.value, message.headers)
    except WireError as exc:
        faults.append(_fault(index, 0, message.value, exc))
        return None


def _fault(message: int, row: int, raw: bytes, exc: WireError | StepsError) -> Fault:
    return Fault(message, row, raw, exc.reason, exc.message)


def _decode_arrow_run(
    indices: Sequence[int], messages: Sequence[Message], spec: ArchiveSpec, faults: list[Fault]
) -> Iterable[_Piece]:
    tables: list[tuple[int, pa.Table]] = []
    for index in indices:
        try:
            tables.append((index, decode_arrow(messages[index].value)))
        except WireError as exc:
            faults.append(_fault(index, 0, messages[index].value, exc))
    # Tables of one schema are conformed as one: a message of few rows costs little more than its rows.
    for _, run in groupby(tables, key=lambda pair: pair[1].schema):
        yield from _conform_run(list(run), messages, spec, faults)


def _conform_run(
    run: list[tuple[int, pa.Table]], messages: Sequence[Message], spec: ArchiveSpec, faults: list[Fault]
) -> Iterable[_Piece]:
    try:
        table = conform(pa.concat_tables([table for _, table in run]), spec)
    except StepsError as exc:
        if len(run) == 1:
            index = run[0][0]
            faults.append(_fault(index, 0, messages[index].value, exc))
            return
        for one in run:  # one message may be at fault for its values, such as a fraction in an integer
            yield from _conform_run([one], messages, spec, faults)
        return
    lengths = [table.num_rows for _, table in run]
    yield _Piece(
        table,
        np.repeat(np.array([index for index, _ in run], dtype=np.int64), lengths),
        _count_within(lengths),
    )


def _decode_json_run(
    form: Form,
    indices: Sequence[int],
    messages: Sequence[Message],
    spec: ArchiveSpec,
    topic_id: str,
    faults: list[Fault],
) -> Iterable[_Piece]:
    message = np.array(indices, dtype=np.int64)
    row = np.zeros(len(indices), dtype=np.int64)
    if form is Form.JSON:
        lines = [messages[index].value for index in indices]
    else:
        split = [_lines(messages[index].value) for index in indices]
        lines = [line for parts in split for line in parts]
        message = np.repeat(message, [len(parts) for parts in split])
        row = _count_within([len(parts) for parts in split])

    def position(line: int) -> str:
        source = messages[message[line]]
        return f"{topic_id}/{source.partition}/{source.offset}/{row[line]}"

    table, kept, refused = JsonDecoder(spec, position).decode(lines)
    faults.extend(_fault(int(message[line]), int(row[line]), lines[line], exc) for line, exc in refused)
    if len(kept):
        yield _Piece(table, message[kept], row[kept])


def _lines(value: bytes) -> list[bytes]:
    lines = [line for line in value.split(b"\n") if line and not line.isspace()]
    return lines or [value]  # a message without a line is at fault, never nothing


def _count_within(lengths: Sequence[int]) -> NDArray[np.int64]:
    """Number the rows of each message from 0."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
