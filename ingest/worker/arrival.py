"""What the worker adds to decoded rows on arrival: their time, their date and where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.decode import Decoded
from schemas.protocols import Message, Partition
from schemas.step import LINEAGE_FIELDS, TIMESTAMP

_SPAN_OF_DAYS = pa.struct([("min", pa.date32()), ("max", pa.date32())])


def with_arrival(decoded: Decoded, messages: Sequence[Message]) -> tuple[pa.Table, pa.Array]:
    """Return the decoded rows with event time, lineage and date, and the time of each row's message.

    A row without an event time takes its message's, which is the same on every reading.
    """
    table = decoded.table
    stamps = _field(messages, "timestamp_ms")
    sent = pa.array(stamps[decoded.message] * 1000).cast(TIMESTAMP)
    times = table["event_time"]
    if times.null_count:
        times = pc.coalesce(times, sent)
        table = table.set_column(table.schema.get_field_index("event_time"), "event_time", times)
    partitions, offsets = _field(messages, "partition"), _field(messages, "offset")
    topic = messages[0].topic if messages else ""
    lineage = lineage_columns(topic, partitions[decoded.message], offsets[decoded.message], decoded.row)
    for field, column in zip(LINEAGE_FIELDS[:-1], lineage, strict=True):
        table = table.append_column(field, column)
    return table.append_column("date", dates_of(times)), sent


def last_offsets(messages: Sequence[Message]) -> dict[int, int]:
    """Return the last offset of each partition that the messages are of."""
    partitions, offsets = _field(messages, "partition"), _field(messages, "offset")
    return {int(number): int(offsets[partitions == number].max()) for number in np.unique(partitions)}


def _field(messages: Sequence[Message], name: str) -> NDArray[np.int64]:
    picked = map(itemgetter(Message._fields.index(name)), messages)  # many: no Python code for each
    return np.fromiter(picked, dtype=np.int64, count=len(messages))


def lineage_columns(
    topic: str, partitions: NDArray[np.int64], offsets: NDArray[np.int64], rows: NDArray[np.int64]
) -> list[pa.Array]:
    """Return the lineage columns but for `ingested_at`, which is known at the commit only."""
    return [
        pa.repeat(topic, len(offsets)),
        pa.array(partitions.astype(np.int32)),
        pa.array(offsets),
        pa.array(rows.astype(np.int32)),
    ]


def dates_of(times: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return the dates of times as text, as partitions are named."""
    span = pc.min_max(times).cast(_SPAN_OF_DAYS).as_py()
    if span["min"] is not None and span["min"] == span["max"]:  # as is usual in a stream
        return pa.repeat(span["min"].isoformat(), len(times))
    days = times.cast(pa.date32())
    chunk = days.combine_chunks() if isinstance(days, pa.ChunkedArray) else days
    encoded = chunk.dictionary_encode()  # few days, many rows
    return encoded.dictionary.cast(pa.string()).take(encoded.indices)


def clock_is_right(times: pa.ChunkedArray, sent: pa.Array, spec: ArchiveSpec) -> NDArray[np.bool_]:
    """Say of each row whether its time is neither before all time nor after its own message."""
    latest = pc.add(sent, pa.scalar(spec.allowed_clock_skew, pa.duration("us")))
    earliest: datetime = spec.earliest_event_time
    fits = pc.and_(pc.less_equal(times, latest), pc.greater_equal(times, pa.scalar(earliest, TIMESTAMP)))
    return np.asarray(fits)


def app_id(archive: str, topic_id: str, partition: Partition) -> str:
    """Name the position of a partition in an archive's tables; a topic made again has another."""
    return f"{archive}/{topic_id}/{partition.number}"
