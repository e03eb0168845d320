"""Ingest: wire the stream, the gates and the lake's tables to a worker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict, Unpack

from ingest import FlushPolicy, IngestReport, Intake, Worker
from lake import Archive, ArchiveLanding, Lake
from replaylake.flows.streams import archive_topic, opened_stream
from replaylake.flows.suite_watch import SuiteWatch
from replaylake.settings import Settings, load_settings
from schemas.errors import SpecChangedError, StreamAwayError, UsageError
from schemas.protocols import Partition, Stream
from validation import Gate

if TYPE_CHECKING:
    from ingest.worker.metrics import IngestMetrics

OnProgress = Callable[[IngestReport], None]
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds until a stream that is away is tried again
_LOG = logging.getLogger("replaylake.ingest")


def ingest_once(lake: Lake, *names: str, **options: Unpack[IngestOptions]) -> IngestReport:
    """Land what the stream holds now for these archives, or for all, and return what became of it.

    Run it again, or many at once: every step is in the steps or in quarantine, exactly once.
    """
    tally = _Tally(options)
    while True:
        try:
            with _worker(lake, names, options, tally) as worker:
                worker.run_to_end()
            return tally.total
        except SpecChangedError as exc:
            tally.begin_anew(exc)


def ingest_follow(
    lake: Lake, *names: str, stop: threading.Event, **options: Unpack[IngestOptions]
) -> IngestReport:
    """Land what comes until `stop` is set; what is buffered then is committed first.

    A stream that does not answer, at the start or later, is tried again until it does. Where an archive's
    spec grows meanwhile, rows are read by the new one from then on.
    """
    tally = _Tally(options)
    pause = _FIRST_PAUSE
    while not stop.is_set():
        try:
            with _worker(lake, names, options, tally) as worker:
                pause = _FIRST_PAUSE
                worker.run_until(stop)
        except SpecChangedError as exc:
            tally.begin_anew(exc)
        except StreamAwayError as exc:
            _LOG.warning("%s Trying again in %g s.", exc.message, pause)
            stop.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
    return tally.total


class IngestOptions(TypedDict, total=False):
    """Say how to ingest. What is not given is as the settings say, which are read where not given."""

    stream: str | Stream | None  # a URL, or a stream that is open already
    flush: FlushPolicy | None
    settings: Settings | None
    on_progress: OnProgress | None  # hears the total after each commit
    metrics: IngestMetrics | None
    topic: str | None  # to read instead of the archive's own
    start: int | datetime | None  # the offset, or the time, at which a fresh archive begins


class _Tally:
    """Add up what the workers of one run did, and pass it on (see ingest.WorkerObserver)."""

    def __init__(self, options: IngestOptions) -> None:
        self.total = IngestReport()
        self.metrics = options.get("metrics")
        self._on_progress = options.get("on_progress")
        self._watches: dict[str, SuiteWatch] = {}

    def watch(self, archive: Archive) -> SuiteWatch:
        """Return the watch of an archive's suite: one for the run, however often the stream goes away."""
        if archive.name not in self._watches:
            self._watches[archive.name] = SuiteWatch(archive)
        return self._watches[archive.name]

    def begin_anew(self, why: SpecChangedError) -> None:
        """Look at suites anew, by the specs of now: the next worker reads again what was not committed."""
        _LOG.info("%s The archive is opened again.", why.message)
        self._watches.clear()

    def landed(self, archive: str, report: IngestReport, seconds: float) -> None:
        self.total.add(report)
        if self.metrics is not None:
            self.metrics.landed(archive, report, seconds)
        if self._on_progress is not None:
            self._on_progress(self.total)

    def conflicted(self, archive: str) -> None:
        self.total.conflicts += 1
        if self.metrics is not None:
            self.metrics.conflicted(archive)

    def suite_changed(self, archive: str, suite_hash: str) -> None:
        if self.metrics is not None:
            self.metrics.suite_changed(archive, suite_hash)

    def suite_refused(self, archive: str, problem: str) -> None:
        if self.metrics is not None:
            self.metrics.suite_refused(archive, problem)


@contextmanager
def _worker(lake: Lake, names: Sequence[str], options: IngestOptions, tally: _Tally) -> Iterator[Worker]:
    settings = options.get("settings") or load_settings()
    archives = [lake.archive(name) for name in dict.fromkeys(names)] or lake.archives()
    _check(lake, archives, options)
    policy = FlushPolicy(settings.flush_rows, settings.flush_bytes, settings.flush_seconds)
    with ExitStack() as stack:
        source = stack.enter_context(opened_stream(lake, options.get("stream"), settings))
        topic = options.get("topic")
        intakes = [_intake(archive, source, settings, topic, tally.watch(archive)) for archive in archives]
        start = options.get("start")
        if start is not None:
            _begin(intakes[0], source, start)
            options["start"] = None  # begun: where the stream goes away, it goes on from there
        flush = options.get("flush") or policy
        group = _group(lake, archives, options)
        worker = stack.enter_context(Worker(source, intakes, group, flush=flush, observer=tally))
        if tally.metrics is not None:
            stack.enter_context(tally.metrics.following(worker.lag))
        yield worker


def _group(lake: Lake, archives: Sequence[Archive], options: IngestOptions) -> str:
    """Name the group of workers: who reads another archive's topic takes no partition from its workers."""
    topic, first = options.get("topic"), archives[0].spec
    return f"replaylake.{lake.id}" + ("" if topic in (None, first.topic) else f".{first.name}")


def _check(lake: Lake, archives: Sequence[Archive], options: IngestOptions) -> None:
    if not archives:
        raise UsageError(
            f"The lake {lake.url} has no archives.",
            hint="Create one first: replaylake archive create NAME --env CartPole-v1",
        )
    for name in ("topic", "start"):
        if options.get(name) is not None and len(archives) != 1:
            raise UsageError(
                f"A {name} is for one archive, not for {len(archives)}.", hint="Name the archive."
            )


def _intake(
    archive: Archive, stream: Stream, settings: Settings, topic: str | None, watch: SuiteWatch
) -> Intake:
    source = stream.topic(topic) if topic else archive_topic(archive, stream, settings)
    return Intake(source, ArchiveLanding(archive), watch.gate, new_gate=watch.new_gate)


def _begin(intake: Intake, stream: Stream, start: int | datetime) -> None:
    partitions = [Partition(intake.topic.name, number) for number in range(intake.topic.partitions)]
    if isinstance(start, datetime):
        intake.begin_at({partition: stream.offset_at(partition, start) for partition in partitions})
        return
    held = {partition: stream.bounds(partition) for partition in partitions}
    intake.begin_at({p: min(max(start, bounds.earliest), bounds.end) for p, bounds in held.items()})


def gate_of(archive: Archive) -> Gate:
    """Compile the archive's gate: the spec's own rules, and its suite where it has one."""
    return SuiteWatch(archive).gate
