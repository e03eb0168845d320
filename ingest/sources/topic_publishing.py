"""A foreign topic into an archive's topic: at least once, with ids that a repetition repeats."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

import numpy as np

from ingest.mapping import RecordMapping
from ingest.sources.options import SourceOptions
from ingest.sources.publishing import PublishReport
from ingest.sources.sending import StepSender
from ingest.sources.topic import TopicDecoder
from ingest.worker.lookahead import PollPolicy
from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.protocols import Message, Partition, Stream, Topic

_STEP = 1000  # milliseconds to microseconds


class TopicPublisher:
    """Publish the records of a topic, from one thread, as a member of a group that shares its partitions.

    Offsets are told to the group once what came before them is durable in the archive's topic. Whoever goes
    on there may repeat some: their ids are the same, and the archive takes them once.
    """

    def __init__(
        self,
        stream: Stream,
        source: str,
        target: Topic,
        spec: ArchiveSpec,
        group: str,
        mapping: RecordMapping,
        *,
        again: bool = False,
        poll: PollPolicy | None = None,
        on_progress: Callable[[PublishReport], None] = lambda report: None,
    ) -> None:
        """Join the group; raise NotFoundError without such a topic, and UsageError where it is the target.

        `again` begins at the earliest message that there is, wherever the group was.
        """
        self.report = PublishReport()
        self._stream = stream
        self._source = stream.topic(source)
        if source == target.name:
            raise UsageError(f"The topic {source!r} is the archive's own.", hint="Name the one to read from.")
        self._decoder = TopicDecoder(mapping.source or SourceOptions(), self._source.id)
        self._application = mapping.application(spec)
        self._group = group
        self._from_start = again
        self._poll = poll or PollPolicy()
        self._on_progress = on_progress
        self._generation = -1
        self._done: dict[Partition, int] = {}  # the next offset of each partition that was read here
        self._producer = stream.producer()
        self._sender = StepSender(spec, target, self._producer)
        self._consumer = stream.consumer([source], group)

    def run_until(self, stop: threading.Event) -> PublishReport:
        """Publish what comes until `stop` is set."""
        while not stop.is_set():
            self._turn()
        return self.report

    def run_to_end(self) -> PublishReport:
        """Return once all that the topic holds now has been published, by whichever member."""
        partitions = [Partition(self._source.name, number) for number in range(self._source.partitions)]
        ends = {partition: self._stream.bounds(partition).end for partition in partitions}
        while not all(self._reached(partition) >= end for partition, end in ends.items()):
            self._turn()
        return self.report

    def _reached(self, partition: Partition) -> int:
        if self._from_start:
            return self._done.get(partition, self._stream.bounds(partition).earliest)
        return self._next(partition)

    def _next(self, partition: Partition) -> int:
        """Return where the group goes on."""
        told = self._stream.committed(self._group, partition)
        return self._stream.bounds(partition).earliest if told is None else told

    def _turn(self) -> None:
        messages = self._consumer.poll(self._poll.messages, self._poll.size, self._poll.wait)
        if self._consumer.generation != self._generation:
            self._follow_rebalance()
            return
        if messages:
            self._publish(messages)
            self._sender.flush()
            self._on_progress(self.report)
        if self._consumer.positions != self._done:  # also past offsets that hold no message
            self._tell(self._consumer.positions)

    def _follow_rebalance(self) -> None:
        """Go on where the group was told last; what was polled beyond that comes again."""
        self._generation = self._consumer.generation
        for partition in sorted(self._consumer.assignment):
            start = self._next(partition)
            if self._from_start:
                start = self._done.get(partition, self._stream.bounds(partition).earliest)
            self._consumer.seek(partition, start)

    def _publish(self, messages: Sequence[Message]) -> None:
        records, index_of = self._decoder.decode(messages)
        self._sender.refuse(records.refused)
        if len(records):
            mapped = self._application.apply(records)
            stamps = np.array([message.timestamp_ms for message in messages], np.int64) * _STEP
            timed = replace(mapped, sent=stamps[index_of[mapped.record]])
            self._sender.send(timed, records.raw, datetime.now(UTC))
        self.report.records += len(records) + len(records.refused)
        self.report.steps, self.report.refused = self._sender.steps, self._sender.refused

    def _tell(self, positions: Mapping[Partition, int]) -> None:
        mine = {p: offset for p, offset in positions.items() if p in self._consumer.assignment}
        self._done.update(mine)
        self._consumer.commit(mine)

    def close(self) -> None:
        """Leave the group, and let go of the producer."""
        try:
            self._consumer.close()
        finally:
            self._producer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
