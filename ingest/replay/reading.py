"""What quarantine holds, read as rows again: what decoded, what decodes today, what can be mapped."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.records import Mapped, Records
from ingest.replay.records import NOT_A_RECORD, read_records
from ingest.sources.options import SourceOptions
from ingest.worker.arrival import clock_is_right
from ingest.worker.judging import CLOCK_SKEW
from schemas.archive_spec import ArchiveSpec
from schemas.conform import conform
from schemas.decode import decode
from schemas.protocols import Message
from schemas.step import LINEAGE_FIELDS, wire_schema

Places = NDArray[np.int64]  # of rows in the batch that quarantine gave
ORIGIN_FIELDS = LINEAGE_FIELDS[:-1]
# The codes of what the decoder refuses. Others are of a stage before the topic, whose records it sent on.
_DECODERS = re.compile(r"undecodable|unsupported_version|(wrong_type|unknown_field)\(.*\)", re.DOTALL)


class RecordMapper(Protocol):
    """Turn records of an outside source into rows, such as `ingest.mapping.RecordMapping`.

    The records' ids are where they came from: topic, partition, offset and row.
    """

    @property
    def source(self) -> SourceOptions | None:
        """How the records are read, where the mapping says it."""

    def apply(self, records: Records, spec: ArchiveSpec) -> Mapped:
        """Map each record; what cannot be mapped is among the refused."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Say why a row stays in quarantine."""

    reasons: tuple[str, ...]
    detail: str


_NO_STEP = Failure(("refused",), "the mapping makes no step of it")
_NO_ROW = Failure(("undecodable",), "it holds no row")


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """Hold rows as they read today, in the order of what quarantine holds."""

    rows: pa.Table  # the wire columns, each with an event time
    place: Places  # (N,) which row of the batch each is of
    number: Places  # (N,) the row within that, where a whole message stands in quarantine
    on_time: NDArray[np.bool_]  # (N,)


def read_again(
    held: pa.Table, spec: ArchiveSpec, mapping: RecordMapper | None
) -> tuple[Read, dict[int, Failure]]:
    """Read rows of the quarantine table, and say of those that do not read today why, by their places.

    What did not decode is decoded again, but for records that a stage before the topic refused. A mapping,
    where one is given, is applied to both, unless they decode; raise StepsError where it makes columns that
    the spec does not have.
    """
    failed: dict[int, Failure] = {}
    parts = [_decoded(held, spec), *_decoded_again(held, spec, failed)]
    if mapping is not None:
        parts.extend(_mapped(held, spec, mapping, failed))
    place = np.concatenate([part.place for part in parts])
    number = np.concatenate([part.number for part in parts])
    on_time = np.concatenate([part.on_time for part in parts])
    for empty in np.setdiff1d(np.arange(held.num_rows), place).tolist():
        failed.setdefault(empty, _NO_ROW)
    order = np.lexsort((number, place))
    rows = pa.concat_tables([part.rows for part in parts]).take(order)
    return Read(rows, place[order], number[order], on_time[order]), failed


def _decoded(held: pa.Table, spec: ArchiveSpec) -> Read:
    """Return the rows that had decoded, as they stand.

    Their clocks were judged when their messages were at hand, and the spec has not changed since.
    """
    place = np.flatnonzero(np.asarray(held["raw"].is_null()))
    rows = held.select(wire_schema(spec).names).take(place)
    reasons = held["reasons"].take(place).to_pylist()
    on_time = np.array([CLOCK_SKEW not in (codes or ()) for codes in reasons], dtype=bool)
    return Read(rows, place, np.zeros(len(place), dtype=np.int64), on_time)


def _decoded_again(held: pa.Table, spec: ArchiveSpec, failed: dict[int, Failure]) -> Iterator[Read]:
    """Decode messages, and lines of them, that did not decode before; note why where they do not today."""
    place, raws, said = _raw(held)
    failed.update(zip(place.tolist(), said, strict=True))
    own = [index for index, failure in enumerate(said) if _DECODERS.fullmatch(failure.reasons[0])]
    if not own:
        return
    messages = [Message("", 0, index, 0, None, raws[index], ()) for index in own]
    token = uuid.uuid4().hex
    decoded = decode(messages, spec, token)
    for index in own:
        del failed[int(place[index])]
    place = place[own]
    for fault in decoded.faults:
        failed.setdefault(int(place[fault.message]), Failure((fault.reason,), fault.detail))
    places = place[decoded.message]
    rows = _with_own_ids(decoded.table, _ids(held, places), token)
    yield _on_arrival(rows, places, decoded.row, held, spec)


def _mapped(
    held: pa.Table, spec: ArchiveSpec, mapping: RecordMapper, failed: dict[int, Failure]
) -> Iterator[Read]:
    """Map the records that are no steps by themselves; note why where they cannot be mapped."""
    place, raws, _ = _raw(held)
    open_ = np.flatnonzero(np.isin(place, list(failed)))
    if not len(open_):
        return
    place, raws = place[open_], [raws[index] for index in open_.tolist()]
    records, read, unread = read_records(raws, _ids(held, place), mapping.source or SourceOptions())
    for index, detail in unread.items():
        failed[int(place[index])] = Failure((NOT_A_RECORD,), detail)
    if not read:
        return
    mapped = mapping.apply(records, spec)
    said = {refused.raw: Failure((refused.reason,), refused.detail) for refused in mapped.refused}
    of_record = place[np.array(read, dtype=np.int64)]
    for index, one in enumerate(of_record.tolist()):
        failed[one] = said.get(records.raw(index), _NO_STEP)
    places = of_record[mapped.record]
    for one in places.tolist():
        del failed[one]
    yield _on_arrival(conform(mapped.table, spec), places, np.zeros(len(places), dtype=np.int64), held, spec)


def _raw(held: pa.Table) -> tuple[Places, list[bytes], list[Failure]]:
    """Return the places of what did not decode, their bytes, and why they stand in quarantine."""
    place = np.flatnonzero(np.asarray(held["raw"].is_valid()))
    found = held.select(["raw", "reasons", "detail"]).take(place).to_pydict()
    said = zip(found["reasons"], found["detail"], strict=True)
    return place, found["raw"], [Failure(tuple(codes or [""]), detail or "") for codes, detail in said]


def _ids(held: pa.Table, place: Places) -> list[str]:
    """Name rows by where they came from."""
    origin = held.select([field.name for field in ORIGIN_FIELDS]).take(place)
    return ["/".join(map(str, values)) for values in zip(*origin.to_pydict().values(), strict=True)]


def _with_own_ids(rows: pa.Table, ids: Sequence[str], token: str) -> pa.Table:
    """Put a row's own place where the decoder named it by its place, which was not its own."""
    named = rows["event_id"].to_pylist()
    if not any(name is not None and name.startswith(token) for name in named):
        return rows
    # Several rows of one message are told apart by the last part of what the decoder said.
    own = [
        f"{id_}+{name.rpartition('/')[2]}" if name is not None and name.startswith(token) else name
        for name, id_ in zip(named, ids, strict=True)
    ]
    return _replaced(rows, "event_id", pa.array(own, pa.string()))


def _on_arrival(rows: pa.Table, place: Places, number: Places, held: pa.Table, spec: ArchiveSpec) -> Read:
    """Give rows without a time that of their message, which quarantine holds for what did not decode."""
    days = pc.assume_timezone(pc.strptime(held["date"], format="%Y-%m-%d", unit="us"), "UTC")
    sent = pc.coalesce(held["event_time"], days).take(place).combine_chunks()
    rows = _replaced(rows, "event_time", pc.coalesce(rows["event_time"], sent))
    return Read(rows, place, number, clock_is_right(rows["event_time"], sent, spec))


def _replaced(rows: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, rows.schema.field(place), column)
