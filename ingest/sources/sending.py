"""From mapped records to messages of the archive's topic: steps as Arrow, and what became none as it came."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc

from ingest.publishing.outgoing import Sender
from ingest.records import Mapped, Refused
from ingest.sources.unfit import split_unfit
from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Producer, Topic
from schemas.step import TIMESTAMP
from schemas.wire import refused_headers

_FLUSH_BYTES = 16 << 20
_FLUSH_SECONDS = 2.0  # a source that trickles is not kept waiting


class StepSender:
    """Send steps to an archive's topic, in bounded memory: what it holds is flushed when it is much."""

    def __init__(
        self,
        spec: ArchiveSpec,
        topic: Topic,
        producer: Producer,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.steps = 0
        self.refused = 0
        self._spec = spec
        self._topic = topic
        self._producer = producer
        self._sender = Sender(spec, topic, producer)
        self._clock = clock
        self._held = 0
        self._flushed = clock()

    @property
    def is_full(self) -> bool:
        """Say whether it is time to flush."""
        return self._held >= _FLUSH_BYTES or self._clock() - self._flushed >= _FLUSH_SECONDS

    def send(self, mapped: Mapped, raw: Callable[[int], bytes], since: datetime) -> None:
        """Take mapped records; `raw` gives the bytes of a record, by its index.

        A row without a time takes that of its message, where there was one, and else `since`. Raise
        StepsError where not one row could be a step of the archive.
        """
        fitting, rows, unfit = split_unfit(mapped.table, self._spec)
        self.refuse(
            Refused(raw(int(mapped.record[row])), problem.reason, problem.message) for row, problem in unfit
        )
        self.refuse(mapped.refused)
        sent = None if mapped.sent is None else pa.array(mapped.sent[rows]).cast(TIMESTAMP)
        self.send_steps(_timed(fitting.table, sent, since))

    def send_steps(self, table: pa.Table) -> None:
        """Take a table with the wire columns of the archive."""
        if table.num_rows:
            self._sender.add([table])
            self.steps += table.num_rows
            self._held += table.nbytes

    def refuse(self, refused: Iterable[Refused]) -> None:
        """Take records that became no step: they go to quarantine with their bytes."""
        for one in refused:
            self._producer.send(
                self._topic.name,
                one.raw,
                headers=refused_headers(one.reason, one.detail),
                partition=crc32(one.raw) % self._topic.partitions,
            )
            self.refused += 1
            self._held += len(one.raw)

    def flush(self) -> None:
        """Return once all that was taken is durable."""
        self._sender.send()
        self._held = 0
        self._flushed = self._clock()


def _timed(table: pa.Table, sent: pa.Array | None, since: datetime) -> pa.Table:
    times = table["event_time"]
    if not times.null_count:
        return table
    place = table.schema.get_field_index("event_time")
    filled = pc.coalesce(times, *([] if sent is None else [sent]), pa.scalar(since, TIMESTAMP))
    return table.set_column(place, "event_time", filled)
