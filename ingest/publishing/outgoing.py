"""Tables of steps on their way out: what the publisher fills in, who goes to which partition, and sending.

Everything here is columnar: no loop runs over rows, only over distinct episodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.streams.assignment import partitions_for
from schemas.archive_spec import ArchiveSpec
from schemas.conform import conform
from schemas.errors import StepsError
from schemas.protocols import Producer, Topic
from schemas.step import TIMESTAMP
from schemas.steps import Steps
from schemas.wire import Form, encode_arrow, headers_for

_MESSAGE_BYTES = 512 << 10  # well below what a Kafka broker takes by default


class Sender:
    """Send tables of steps as Arrow messages. What the producer has not taken yet is kept.

    All calls come from one thread.
    """

    def __init__(self, spec: ArchiveSpec, topic: Topic, producer: Producer) -> None:
        self._spec = spec
        self._topic = topic
        self._producer = producer
        self._headers = headers_for(Form.ARROW)
        self._unsent: deque[tuple[int, pa.Table]] = deque()

    def add(self, tables: Iterable[pa.Table]) -> None:
        """Take tables to be sent, all or none."""
        taken = [part for table in tables for part in parts(table, self._topic.partitions)]
        self._unsent.extend(taken)

    def send(self) -> None:
        """Return once all that was taken is durable; where it raises, all of it is kept: send again."""
        while self._unsent:
            partition, piece = self._unsent[0]
            value = encode_arrow(Steps(piece, self._spec))
            self._producer.send(self._topic.name, value, headers=self._headers, partition=partition)
            self._unsent.popleft()
        self._producer.flush()

    @property
    def unsent(self) -> bool:
        """Say whether there is something that the producer has not taken yet."""
        return bool(self._unsent)

    def close(self) -> None:
        """Flush what the producer has taken, and let go of it."""
        self._producer.close()


def with_texts(table: pa.Table, texts: dict[str, str | None]) -> pa.Table:
    """Return the table with these texts where it has no value of its own; None fills nothing."""
    for name, text in texts.items():
        if text is None:
            continue
        place = table.column_names.index(name) if name in table.column_names else -1
        if place < 0 or pa.types.is_null(table[name].type):
            column: Any = pa.repeat(pa.scalar(text), table.num_rows)
        elif _is_text(table[name].type) and table[name].null_count:
            column = table[name].cast(pa.string()).fill_null(text)
        else:
            continue  # full; or of another type, for `conform` to refuse
        table = table.append_column(name, column) if place < 0 else table.set_column(place, name, column)
    return table


def with_prefix(table: pa.Table, prefix: str) -> pa.Table:
    """Return the table with the prefix before every episode id; whole numbers become text first."""
    if "episode_id" not in table.column_names:
        return table
    episodes = table["episode_id"]
    if not (_is_text(episodes.type) or pa.types.is_integer(episodes.type) or pa.types.is_null(episodes.type)):
        raise StepsError(
            f"The column 'episode_id' is {episodes.type}.", column="episode_id", hint="Give text or numbers."
        )
    named = pc.binary_join_element_wise(pa.scalar(prefix), episodes.cast(pa.string()), "")
    return table.set_column(table.column_names.index("episode_id"), "episode_id", named)


def with_times(table: pa.Table, spec: ArchiveSpec, now: datetime) -> pa.Table:
    """Return the table in the spec's wire schema, `now` where it has no event time."""
    conformed = conform(table, spec)
    times = conformed["event_time"]
    if not times.null_count:
        return conformed
    place = conformed.column_names.index("event_time")
    return conformed.set_column(place, "event_time", times.fill_null(pa.scalar(now, TIMESTAMP)))


def partitions_of(table: pa.Table, partitions: int) -> NDArray[np.int64]:
    """Return the partition of each row: that of `routing_key`, so an episode stays together."""
    names = pc.coalesce(table["episode_id"], table["event_id"], pa.scalar(""))
    joined = pc.binary_join_element_wise(table["source"], names, "\0")
    encoded = pa.chunked_array([joined.combine_chunks()]).dictionary_encode().combine_chunks()
    keys = encoded.dictionary.cast(pa.binary())
    numbers = partitions_for(keys.to_pylist(), len(keys), partitions)
    of_row: NDArray[np.int64] = numbers[encoded.indices.to_numpy()]
    return of_row  # (N,)


def parts(table: pa.Table, partitions: int) -> Iterator[tuple[int, pa.Table]]:
    """Iterate over the tables that make one message each, with the partition they go to.

    Rows keep their order within a partition.
    """
    numbers = partitions_of(table, partitions)
    grouped = table.take(np.argsort(numbers, kind="stable"))
    start = 0
    for number, count in enumerate(np.bincount(numbers, minlength=partitions).tolist()):
        for piece in _pieces(grouped.slice(start, count)):
            yield number, piece
        start += count


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    """Halve a table until each piece is small enough for a message, or is one row."""
    if table.num_rows > 1 and table.nbytes > _MESSAGE_BYTES:
        half = table.num_rows // 2
        yield from _pieces(table.slice(0, half))
        yield from _pieces(table.slice(half))
    elif table.num_rows:
        yield table


def _is_text(kind: pa.DataType) -> bool:
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held))
