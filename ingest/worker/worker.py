"""The worker: consume the topics of several archives, and flush by rows, bytes and age."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ingest.worker.collector import collector_seldom
from ingest.worker.gate_watch import GateWatch
from ingest.worker.intake import Flush, Intake
from ingest.worker.lookahead import Lookahead, Polled, PollPolicy
from ingest.worker.observer import Nobody, WorkerObserver
from ingest.worker.report import IngestReport
from schemas.errors import CommitConflictError, StreamError, UsageError
from schemas.protocols import Gate, Partition, Stream

_MEMBERSHIP = 10.0  # seconds of a slow landing after which the group hears that we live
_LOG = logging.getLogger("replaylake.ingest")


@dataclass(frozen=True, slots=True)
class FlushPolicy:
    """Say when a buffer is committed: at the first of these."""

    rows: int = 250_000
    size: int = 16 << 20  # bytes of Arrow data; twice as many may be held
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.rows < 1 or self.size < 1 or self.seconds <= 0:
            raise UsageError(f"The flush policy {self} has a limit that is not positive.")


@dataclass(frozen=True, slots=True)
class _Flight:
    """Hold a buffer that is being landed in the other thread."""

    flush: Flush
    landing: Future[tuple[IngestReport, float]]


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
        observer: WorkerObserver | None = None,
    ) -> None:
        """Join the group of workers; the observer hears of each commit, in the thread that runs this."""
        self._stream = stream
        self._intakes = {intake.topic.name: intake for intake in intakes}
        if len(self._intakes) < len(intakes):
            raise UsageError("Two archives read one topic.", hint="Ingest them one after the other.")
        self._flush_policy = flush or FlushPolicy()
        self._observer = observer or Nobody()
        self._gates = GateWatch(intakes, self._observer)
        self._total = IngestReport()
        self._generation = -1
        self._assignment: frozenset[Partition] = frozenset()
        self._ahead = Lookahead(
            list(self._intakes),
            lambda: stream.consumer(list(self._intakes), group),
            poll or PollPolicy(),
            lambda topic, messages: self._intakes[topic].examine(messages),
        )
        # Landing is mostly I/O and compression: it goes on beside judging what comes next.
        self._lander = ThreadPoolExecutor(1, thread_name_prefix="replaylake-land")
        self._flights: dict[str, _Flight] = {}

    def run_until(self, stop: threading.Event) -> IngestReport:
        """Follow the stream until `stop` is set, then commit what is buffered."""
        with collector_seldom():
            while not stop.is_set():
                self._turn()
            self._land_all()
        return self._total

    def run_to_end(self) -> IngestReport:
        """Return once everything that the stream holds now has landed, by whichever worker."""
        targets = {
            partition: self._stream.bounds(partition).end
            for intake in self._intakes.values()
            for partition in (Partition(intake.topic.name, n) for n in range(intake.topic.partitions))
        }
        with collector_seldom():
            while not self._have_landed(targets):
                self._turn()
        return self._total

    def _have_landed(self, targets: Mapping[Partition, int]) -> bool:
        """Say whether the tables have reached the targets; looked up only when we have nothing to do."""
        for intake in self._intakes.values():
            if any(offset < targets[partition] for partition, offset in intake.next_to_take().items()):
                return False
        self._land_all()
        return all(self._intakes[p.topic].landed(p) + 1 >= end for p, end in targets.items())

    def _turn(self) -> None:
        """Take what comes, follow a rebalance, and land what is due."""
        polled = self._ahead.next()
        if polled.generation != self._generation:
            self._follow_rebalance(polled)
        else:
            for topic, examined in polled.parts:
                self._intakes[topic].take(examined)
            for intake in self._intakes.values():
                intake.pass_over(polled.positions)
        for intake in self._intakes.values():
            flight = self._flights.get(intake.topic.name)
            if flight is not None and flight.landing.done():
                self._arrive(intake)
            if self._is_due(intake):
                self._depart(intake)
        for intake, gate in self._gates.changed():
            self._change_gate(intake, gate)

    def _is_due(self, intake: Intake) -> bool:
        limit = self._flush_policy
        return intake.rows >= limit.rows or intake.size >= limit.size or intake.age >= limit.seconds

    def _follow_rebalance(self, polled: Polled) -> None:
        """Land what is buffered if it still may be landed, then start from the tables' positions."""
        self._land_all()
        self._generation, self._assignment = polled.generation, polled.assignment
        _LOG.info("assigned %s", sorted(self._assignment), extra={"generation": self._generation})
        for intake in self._intakes.values():
            self._start(intake)
        self._seek()

    def _start(self, intake: Intake) -> None:
        mine = [p for p in sorted(self._assignment) if p.topic == intake.topic.name]
        if mine and self._stream.topic(intake.topic.name).id != intake.topic.id:
            raise StreamError(
                f"The topic {intake.topic.name!r} was made again while we read it.",
                hint="Start again: the new topic is then read from its start.",
            )
        intake.start({partition: self._stream.bounds(partition) for partition in mine})

    def _seek(self) -> None:
        """Go on after what is landed or buffered; what was polled ahead comes again."""
        self._ahead.seek(
            {p: o for intake in self._intakes.values() for p, o in intake.next_to_take().items()}
        )

    def _change_gate(self, intake: Intake, gate: Gate) -> None:
        """Land what the gate before has judged, and go on after it: so one gate alone judges a commit."""
        self._depart(intake)
        self._arrive(intake)
        intake.judge_by(gate)
        self._start(intake)
        self._seek()
        _LOG.info("%s is judged by another suite, %s", intake.archive, gate.suite_hash)
        self._observer.suite_changed(intake.archive, gate.suite_hash)

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
            landing = self._lander.submit(_timed, intake, flush)
            self._flights[intake.topic.name] = _Flight(flush, landing)

    def _arrive(self, intake: Intake) -> None:
        """Wait for the buffer that is on its way; where another worker was faster, start again."""
        flight = self._flights.pop(intake.topic.name, None)
        if flight is None:
            return
        try:
            while not wait([flight.landing], _MEMBERSHIP).done:
                self._ahead.keep_membership()
            report, seconds = flight.landing.result()
        except CommitConflictError as exc:
            _LOG.info("another worker landed first, reading again: %s", exc.message)
            self._total.conflicts += 1
            self._observer.conflicted(intake.archive)
            self._start(intake)
            self._seek()
            return
        intake.settle(flight.flush)
        self._total.add(report)
        self._ahead.commit(intake.next_offsets())
        self._observer.landed(intake.archive, report, seconds)

    def lag(self) -> dict[tuple[str, Partition], int]:
        """Return how many messages of each of its partitions are not landed; any thread may ask."""
        return {
            (intake.archive, partition): max(self._stream.bounds(partition).end - offset, 0)
            for intake in self._intakes.values()
            for partition, offset in intake.next_offsets().items()
        }

    def close(self) -> None:
        """Leave the group; what is buffered and has not landed comes again to whoever takes over."""
        self._lander.shutdown()
        self._ahead.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _timed(intake: Intake, flush: Flush) -> tuple[IngestReport, float]:
    begun = time.perf_counter()
    return intake.land(flush), time.perf_counter() - begun
