"""From messages to rows for the two tables: decoded, judged, told from duplicates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.worker.arrival import clock_is_right, dates_of, last_offsets, lineage_columns, with_arrival
from ingest.worker.key_window import KeyWindow
from schemas.archive_spec import ArchiveSpec
from schemas.decode import Decoded, decode
from schemas.protocols import Gate, Message, Topic, Verdict
from schemas.step import DATE_FIELD, GATE_FIELDS, LINEAGE_FIELDS, REASON_FIELDS, TIMESTAMP, wire_schema

KEY_CONFLICT = "key_conflict"
CLOCK_SKEW = "clock_skew"
CLASH = "a row with this key and other content landed before"
_LINEAGE = LINEAGE_FIELDS[:-1]  # `ingested_at` is known at the commit
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Settled:
    """Say of a partition which rows were judged before a crash: their verdict stands.

    Up to offset `upto`, a row that quarantine holds is refused and any other is accepted, whatever the
    suite of today would say.
    """

    upto: int
    in_quarantine: frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """Hold what can be said of messages by looking at nothing else."""

    decoded: Decoded
    rows: pa.Table  # what decoded, with lineage and date
    sent: pa.Array  # the time of each row's message
    verdict: Verdict
    on_time: Mask
    last: Mapping[int, int]  # the last offset, by partition
    at_fault: Mapping[int, Message]  # the messages of the faults, by index


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Hold the rows that go to each table, and count those that go to none."""

    accepted: pa.Table  # the steps table's columns but for ingested_at
    refused: pa.Table  # the quarantine table's columns but for ingested_at
    duplicates: int
    erased: int


def examine(messages: Sequence[Message], topic: Topic, spec: ArchiveSpec, gate: Gate) -> Examined:
    """Decode and judge messages, each by itself: this depends on nothing else, and may run ahead."""
    decoded = decode(messages, spec, topic.id)
    rows, sent = with_arrival(decoded, messages)
    on_time = clock_is_right(rows["event_time"], sent, spec)
    at_fault = {fault.message: messages[fault.message] for fault in decoded.faults}
    return Examined(decoded, rows, sent, gate.judge(decoded.table), on_time, last_offsets(messages), at_fault)


def judge(
    examined: Examined,
    spec: ArchiveSpec,
    gate: Gate,
    window: KeyWindow,
    settled: Mapping[int, Settled],
    pending: Sequence[pa.Table],
    erased: Callable[[pa.Table], Mask],
) -> Judged:
    """Say where rows go, given what was landed and settled before, in the order of the stream.

    `pending` are the accepted rows of this run that are not committed yet. What was `erased` goes nowhere.
    """
    decoded, rows, sent, verdict = examined.decoded, examined.rows, examined.sent, examined.verdict
    on_time = examined.on_time
    past, held = _settled_rows(rows, settled)
    gone = erased(rows)
    accepted = ((verdict.accepted & on_time) | past) & ~held & ~gone
    refused = ~accepted & ~held & ~gone

    candidates = gated(rows, verdict, accepted)
    split = window.split(candidates, pending)
    late_conflict = split.conflict & past[accepted]  # its verdict stands: it was accepted before
    landing = split.fresh | late_conflict
    clashing = split.conflict & ~late_conflict

    faults = _faults(examined, spec, settled, gate)
    unfit = erased(faults)
    tables = [_chosen(faults, ~unfit)]
    if refused.any():
        reasons, details = why(decoded.table, verdict, rows["event_time"], on_time, refused, gate)
        chosen = pa.array(refused)
        tables.append(_refused(rows.filter(chosen), sent.filter(chosen), reasons, details, gate))
    if clashing.any():
        tables.append(_clashing(rows, sent, accepted, clashing, gate))
    refusals = pa.concat_tables(tables)
    count = int((gone & ~held).sum() + unfit.sum())
    return Judged(_chosen(candidates, landing), refusals, int(split.duplicate.sum()), count)


def _settled_rows(rows: pa.Table, settled: Mapping[int, Settled]) -> tuple[Mask, Mask]:
    """Return which rows' verdicts stand, and which of those quarantine holds already."""
    past = np.zeros(rows.num_rows, dtype=bool)
    held = np.zeros(rows.num_rows, dtype=bool)
    if not any(one.upto >= 0 for one in settled.values()):
        return past, held
    partitions = np.asarray(rows["stream_partition"])
    offsets = np.asarray(rows["stream_offset"])
    numbers = np.asarray(rows["stream_row"])
    for partition, one in settled.items():
        past |= (partitions == partition) & (offsets <= one.upto)
    for place in np.flatnonzero(past):
        one = settled[int(partitions[place])]
        held[place] = (int(offsets[place]), int(numbers[place])) in one.in_quarantine
    return past, held


def why(
    table: pa.Table,
    verdict: Verdict,
    times: pa.ChunkedArray,
    on_time: Mask,
    refused: Mask,
    gate: Gate,
) -> tuple[list[list[str]], list[str]]:
    """Return the reasons and the detail of each refused row."""
    described = gate.describe(table, verdict).to_pylist()
    by_gate = dict(zip(np.flatnonzero(~verdict.accepted).tolist(), described, strict=True))
    reasons: list[list[str]] = []
    details: list[str] = []
    for place in np.flatnonzero(refused).tolist():
        row_reasons = verdict.reasons[place].as_py()
        detail = [by_gate[place]] if place in by_gate else []
        if not on_time[place]:
            row_reasons = [*row_reasons, CLOCK_SKEW]
            detail.append(f"event_time is {times[place].as_py().isoformat()}, outside the allowed clock skew")
        reasons.append(row_reasons)
        details.append("; ".join(detail))
    return reasons, details


def gated(rows: pa.Table, verdict: Verdict, accepted: Mask) -> pa.Table:
    """Add what the gate says of the accepted rows, in the order of the steps table."""
    quality, flags = GATE_FIELDS
    place = rows.schema.get_field_index(_LINEAGE[0].name)
    table = rows.add_column(place, flags, verdict.flags)
    table = table.add_column(place, quality, pa.array(verdict.quality, quality.type))
    return _chosen(table, accepted)


def _chosen(table: pa.Table, mask: Mask) -> pa.Table:
    """Filter, but for the usual case that every row stays, which costs nothing."""
    return table if mask.all() else table.filter(pa.array(mask))


def _refused(
    rows: pa.Table, sent: pa.Array, reasons: Sequence[Sequence[str]], details: Sequence[str], gate: Gate
) -> pa.Table:
    """Turn rows with their reasons into rows of the quarantine table, dated by their message."""
    by_name = {
        "reasons": pa.array(reasons, REASON_FIELDS[0].type),
        "detail": pa.array(details, pa.string()),
        "raw": pa.nulls(rows.num_rows, pa.binary()),
        "suite_hash": pa.repeat(gate.suite_hash, rows.num_rows),
    }
    place = rows.schema.get_field_index(_LINEAGE[0].name)
    table = rows
    for field in reversed(REASON_FIELDS):
        table = table.add_column(place, field, by_name[field.name])
    return table.set_column(table.schema.get_field_index("date"), DATE_FIELD, dates_of(sent))


def _clashing(rows: pa.Table, sent: pa.Array, accepted: Mask, clashing: Mask, gate: Gate) -> pa.Table:
    places = pa.array(np.flatnonzero(accepted)[clashing])
    reasons = [[KEY_CONFLICT]] * len(places)
    details = [CLASH] * len(places)
    return _refused(rows.take(places), sent.take(places), reasons, details, gate)


def _faults(examined: Examined, spec: ArchiveSpec, settled: Mapping[int, Settled], gate: Gate) -> pa.Table:
    """Turn what did not decode into rows of the quarantine table, with the bytes as they came."""
    sources = examined.at_fault
    faults = [
        fault
        for fault in examined.decoded.faults
        # Up to there quarantine has every fault already: bytes that do not decode never will.
        if sources[fault.message].offset > settled[sources[fault.message].partition].upto
    ]
    places = [sources[fault.message] for fault in faults]
    partitions = np.array([place.partition for place in places], dtype=np.int64)
    offsets = np.array([place.offset for place in places], dtype=np.int64)
    numbers = np.array([fault.row for fault in faults], dtype=np.int64)
    sent = pa.array([place.timestamp_ms * 1000 for place in places], pa.int64()).cast(TIMESTAMP)
    # As ever, what has no time of its own takes its message's: a replay needs to know it.
    columns = [
        sent if field.name == "event_time" else pa.nulls(len(faults), field.type)
        for field in wire_schema(spec)
    ]
    columns += [
        pa.array([[fault.reason] for fault in faults], REASON_FIELDS[0].type),
        pa.array([fault.detail for fault in faults], pa.string()),
        pa.array([fault.raw for fault in faults], pa.binary()),
        pa.repeat(gate.suite_hash, len(faults)),
    ]
    topic = places[0].topic if places else ""  # not the spec's: an archive may read another's
    columns += lineage_columns(topic, partitions, offsets, numbers)
    fields = [*wire_schema(spec), *REASON_FIELDS, *_LINEAGE, DATE_FIELD]
    return pa.table([*columns, dates_of(sent)], schema=pa.schema(fields))


def count_reasons(refused: pa.Table) -> dict[str, int]:
    """Count refused rows by reason."""
    counted = pc.value_counts(pc.list_flatten(refused["reasons"]))
    return {entry["values"]: entry["counts"] for entry in counted.to_pylist()}
