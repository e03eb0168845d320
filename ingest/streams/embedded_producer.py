"""Appending to the embedded stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from sqlite3 import Connection
from typing import NamedTuple

from ingest.streams.assignment import place
from ingest.streams.embedded_file import OFFSET_BITS, StreamFile
from ingest.streams.embedded_headers import encode_headers
from schemas.errors import NotFoundError, StreamError, UsageError
from schemas.protocols import Headers, Topic

_BUFFER_BYTES = 32 << 20  # beyond it a producer writes by itself
_OVERHEAD_BYTES = 100  # what a small message costs in the buffer
_LARGEST_MESSAGE = 512 << 20


class _Pending(NamedTuple):
    topic: str
    key: bytes | None
    partition: int | None
    value: bytes
    headers: bytes | None


class EmbeddedProducer:
    """Append messages, a whole buffer in one transaction (see schemas.protocols.Producer).

    Where `flush` raises, nothing of the buffer was written and all of it is kept: flush again.
    """

    def __init__(self, file: StreamFile, topic: Callable[[str], Topic], clock: Callable[[], float]) -> None:
        self._file = file
        self._topic = topic
        self._clock = clock
        self._partitions: dict[str, int] = {}
        self._buffer: list[_Pending] = []
        self._bytes = 0
        self._closed = False

    def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Buffer a message; a buffer beyond 32 MiB is flushed first. Raise UsageError above 512 MiB."""
        if self._closed:
            raise StreamError("The producer is closed.")
        count = self._partitions.get(topic)
        if count is None:
            count = self._partitions[topic] = self._topic(topic).partitions
        if partition is not None and not 0 <= partition < count:
            raise NotFoundError("partition", f"{topic}/{partition}", hint=f"The topic has {count}.")
        if len(value) > _LARGEST_MESSAGE:
            raise UsageError(f"A message of {len(value):,} bytes is too large.", hint="Send smaller batches.")
        if self._bytes >= _BUFFER_BYTES:
            self.flush()
        self._buffer.append(_Pending(topic, key, partition, value, encode_headers(headers)))
        self._bytes += len(value) + _OVERHEAD_BYTES

    def flush(self) -> None:
        """Return once every message sent so far is on the disk."""
        if not self._buffer:
            return
        topic_of = itemgetter(0)
        with self._file.writing() as db:
            now = int(self._clock() * 1000)
            for topic, pending in groupby(sorted(self._buffer, key=topic_of), topic_of):
                _append(db, topic, list(pending), now)
        self._buffer = []
        self._bytes = 0

    def close(self) -> None:
        """Flush and let go. Where the flush raises, what it could not write is lost with the producer."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
        finally:
            self._file.close()


def _append(db: Connection, topic: str, pending: Sequence[_Pending], now_ms: int) -> None:
    """Append to the topic as it is now: it may have been made again since the messages were sent."""
    partitions = db.execute(
        "SELECT key, end, timestamp_ms FROM partitions WHERE topic = ? ORDER BY number", (topic,)
    ).fetchall()
    if not partitions:
        raise NotFoundError("topic", topic, hint="It was deleted after the messages were sent.")
    numbers = place(((message.key, message.partition) for message in pending), [row[1] for row in partitions])
    parts: list[list[_Pending]] = [[] for _ in partitions]
    for number, message in zip(numbers, pending, strict=True):
        if number >= len(parts):
            raise NotFoundError("partition", f"{topic}/{number}", hint="The topic was made again with fewer.")
        parts[number].append(message)
    for (key, end, last_ms), part in zip(partitions, parts, strict=True):
        if not part:
            continue
        stamp = max(now_ms, last_ms)
        first = (key << OFFSET_BITS) + end
        db.executemany(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?)",
            [(first + i, stamp, sent.key, sent.value, sent.headers) for i, sent in enumerate(part)],
        )
        db.execute(
            "UPDATE partitions SET end = ?, timestamp_ms = ? WHERE key = ?", (end + len(part), stamp, key)
        )
