"""The worker: consume the topics of several archives, and flush by rows, bytes and age."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from types import TracebackType
from typing import Self

from ingest.intake import Flush, Intake
from ingest.report import IngestReport
from schemas.errors import CommitConflictError, UsageError
from schemas.protocols import Consumer, Message, Partition, Stream

_LOG = logging.getLogger("replaylake.ingest")


@dataclass(frozen=True, slots=True)
class FlushPolicy:
    """Say when a buffer is committed: at the first of these."""

    rows: int = 250_000
    size: int = 64 << 20  # bytes of Arrow data; twice as many may be held
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.rows < 1 or self.size < 1 or self.seconds <= 0:
            raise UsageError(f"The flush policy {self} has a limit that is not positive.")


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """Say how much is taken from the stream at once: what is polled is decoded and judged together."""

    messages: int = 50_000
    size: int = 12 << 20
    wait: float = 0.2  # seconds

    def __post_init__(self) -> None:
        if self.messages < 1 or self.size < 1 or self.wait <= 0:
            raise UsageError(f"The poll policy {self} has a limit that is not positive.")


@dataclass(frozen=True, slots=True)
class _Flight:
    """Hold a buffer that is being landed in the other thread."""

    flush: Flush
    landing: Future[IngestReport]


class Worker:
    """Ingest from a stream into archives, as one member of a group of workers.

    Any number of workers may run, and any may die at any line: what was committed is there once, and
    what was not is read again. Memory is bounded by the two policies.
    """

    def __init__(
        self,
        stream: Stream,
        intakes: Sequence[Intake],
        group: str,
        *,
        flush: FlushPolicy | None = None,
        poll: PollPolicy | None = None,
        on_progress: Callable[[IngestReport], None] = lambda report: None,
    ) -> None:
        """Join the group of workers; `on_progress` hears the total after each commit."""
        self._stream = stream
        self._intakes = {intake.topic.name: intake for intake in intakes}
        self._flush_policy = flush or FlushPolicy()
        self._poll_policy = poll or PollPolicy()
        self._on_progress = on_progress
        self._total = IngestReport()
        self._consumer: Consumer = stream.consumer(list(self._intakes), group)
        self._generation = -1
        # Landing is mostly I/O and compression: it goes on beside decoding and judging what comes next.
        self._lander = ThreadPoolExecutor(1, thread_name_prefix="replaylake-land")
        self._flights: dict[str, _Flight] = {}

    def run_until(self, stop: threading.Event) -> IngestReport:
        """Follow the stream until `stop` is set, then commit what is buffered."""
        while not stop.is_set():
            self._turn()
        self._land_all()
        return self._total

    def run_to_end(self, stop: threading.Event | None = None) -> IngestReport:
        """Return once everything that the stream holds now has landed, by whichever worker."""
        targets = {
            partition: self._stream.bounds(partition).end - 1
            for intake in self._intakes.values()
            for partition in (Partition(intake.topic.name, n) for n in range(intake.topic.partitions))
        }
        while not (stop and stop.is_set()):
            self._turn()
            mine = [p for p in self._consumer.assignment if self._intakes[p.topic].taken(p) < targets[p]]
            if not mine:
                self._land_all()
                if all(self._intakes[p.topic].landed(p) >= end for p, end in targets.items()):
                    break
        self._land_all()
        return self._total

    def _turn(self) -> None:
        """Poll once, follow a rebalance, and land what is due."""
        policy = self._poll_policy
        with _collector_at_rest():
            messages = self._consumer.poll(policy.messages, policy.size, policy.wait)
            if self._consumer.generation != self._generation:
                self._follow_rebalance()
            elif messages:
                for topic, run in _by_topic(messages):
                    self._intakes[topic].take(run)
            del messages
        for intake in self._intakes.values():
            flight = self._flights.get(intake.topic.name)
            if flight is not None and flight.landing.done():
                self._arrive(intake)
            if self._is_due(intake):
                self._depart(intake)

    def _is_due(self, intake: Intake) -> bool:
        limit = self._flush_policy
        return intake.rows >= limit.rows or intake.size >= limit.size or intake.age >= limit.seconds

    def _follow_rebalance(self) -> None:
        """Land what is buffered if it still may be landed, then start from the tables' positions."""
        self._land_all()
        self._generation = self._consumer.generation
        _LOG.info("assigned %s", sorted(self._consumer.assignment), extra={"generation": self._generation})
        for intake in self._intakes.values():
            self._start(intake)

    def _start(self, intake: Intake) -> None:
        mine = [p for p in sorted(self._consumer.assignment) if p.topic == intake.topic.name]
        for partition, offset in intake.start(mine).items():
            self._consumer.seek(partition, offset)

    def _land_all(self) -> None:
        for intake in self._intakes.values():
            self._depart(intake)
        for intake in self._intakes.values():
            self._arrive(intake)

    def _depart(self, intake: Intake) -> None:
        """Send the buffer on its way, once the one before has arrived: so two are held at most."""
        self._arrive(intake)
        flush = intake.detach()
        if flush is not None:
            landing = self._lander.submit(intake.land, flush)
            self._flights[intake.topic.name] = _Flight(flush, landing)

    def _arrive(self, intake: Intake) -> None:
        """Wait for the buffer that is on its way; where another worker was faster, start again."""
        flight = self._flights.pop(intake.topic.name, None)
        if flight is None:
            return
        try:
            report = flight.landing.result()
        except CommitConflictError as exc:
            _LOG.info("another worker landed first, reading again: %s", exc.message)
            self._total.conflicts += 1
            self._start(intake)
            return
        intake.settle(flight.flush)
        self._total.add(report)
        self._consumer.commit(intake.next_offsets())
        self._on_progress(self._total)

    def close(self) -> None:
        """Leave the group; what is buffered and has not landed comes again to whoever takes over."""
        self._lander.shutdown()
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep Python's cycle collector from walking a poll's many small messages, which hold no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _by_topic(messages: Sequence[Message]) -> Iterator[tuple[str, Sequence[Message]]]:
    if messages[0].topic == messages[-1].topic and len({message.topic for message in messages}) == 1:
        yield messages[0].topic, messages
        return
    for topic, run in groupby(messages, key=lambda message: message.topic):
        yield topic, list(run)
