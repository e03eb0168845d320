"""The stage: from a topic of events to the archive's topic of steps, through restarts.

It reads, builds, sends, and only when what it sent is durable it saves how far it has read and what it
holds. A crash in between sends the same steps again, and the worker drops them: their content and their keys
depend on the events alone. For the same reason two processes that hold one partition for a moment do no
harm: both send the same steps, and whichever state is saved last fits what was sent before its position.
What was refused is sent again as well, and quarantine then has it twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Self

from ingest.timeline.job import TopicTimeline
from ingest.timeline.outlet import Outlet
from ingest.timeline.released import Released
from ingest.timeline.report import TimelineReport
from ingest.timeline.saved import Saved, SavedStates
from ingest.timeline.stream import Timeline
from ingest.worker.collector import collector_seldom
from ingest.worker.lookahead import PollPolicy
from schemas.errors import StreamError, UsageError
from schemas.protocols import Message, Partition, Stream

_REST = 10  # times as long as a save took pass before the next, or large states would be all we do
_LOG = logging.getLogger("replaylake.timeline")


@dataclass(frozen=True, slots=True)
class SavePolicy:
    """Say when what was built is sent and saved: at the first of these."""

    messages: int = 200_000
    size: int = 16 << 20  # bytes of what is to be sent
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.messages < 1 or self.size < 1 or self.seconds <= 0:
            raise UsageError(f"The save policy {self} has a limit that is not positive.")


@dataclass(slots=True)
class _Reading:
    """Follow one partition."""

    timeline: Timeline
    position: int  # the next offset
    saved: int = -1


class TimelineStage:
    """Build steps from the events of a topic, as one member of a group.

    Any number of processes may run on a folder that they share, and any may die at any line.
    """

    def __init__(
        self,
        stream: Stream,
        job: TopicTimeline,
        states: SavedStates,
        group: str,
        *,
        save: SavePolicy | None = None,
        poll: PollPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_progress: Callable[[TimelineReport], None] = lambda report: None,
    ) -> None:
        """Join the group; `on_progress` hears the total whenever it was saved."""
        self._stream, self._job, self._states = stream, job, states
        self._save_policy, self._poll_policy = save or SavePolicy(), poll or PollPolicy()
        self._clock, self._since, self._took = clock, clock(), 0.0
        self._on_progress = on_progress
        self._total = TimelineReport()
        self._unsaved, self._messages = TimelineReport(), 0
        self._generation = -1
        self._readings: dict[Partition, _Reading] = {}
        self._outlet = Outlet(stream, job.archive, job.steps)
        self._consumer = stream.consumer([job.events.name], group)

    def run_until(self, stop: threading.Event) -> TimelineReport:
        """Follow the topic until `stop` is set, then send and save."""
        with collector_seldom():
            while not stop.is_set():
                self._turn()
            self._save()
        return self._total

    def run_to_end(self, *, close: bool = False) -> TimelineReport:
        """Return once all that the topic holds now has been taken, by whichever process.

        What waits for later events stays held, for the next run. With `close` it does not: the sessions of
        the partitions that this process has then are ended here, truncated, and all is sent.
        """
        partitions = [Partition(self._job.events.name, n) for n in range(self._job.events.partitions)]
        ends = {partition: self._stream.bounds(partition).end for partition in partitions}
        with collector_seldom():
            while not self._has_reached(ends):
                self._turn()
            if close:
                self._close_sessions()
        return self._total

    def _close_sessions(self) -> None:
        for reading in self._readings.values():
            self._take(reading.timeline.close())
            reading.saved = -1  # its position stays, its state does not
        self._save()

    def _has_reached(self, ends: Mapping[Partition, int]) -> bool:
        if any(reading.position < ends.get(partition, 0) for partition, reading in self._readings.items()):
            return False
        if self._generation < 0:
            return False
        self._save()
        return all(
            self._states.position(partition) >= end or self._stream.bounds(partition).earliest >= end
            for partition, end in ends.items()
        )

    def _turn(self) -> None:
        """Take what comes, follow a rebalance, and save when it is due."""
        policy = self._poll_policy
        messages = self._consumer.poll(policy.messages, policy.size, policy.wait)
        if self._consumer.generation != self._generation:
            self._follow_rebalance()
            return
        for number, run in groupby(messages, key=lambda message: message.partition):
            self._feed(Partition(self._job.events.name, number), list(run))
        for partition, position in self._consumer.positions.items():
            self._readings[partition].position = position
        if self._is_due():
            self._save()

    def _feed(self, partition: Partition, messages: Sequence[Message]) -> None:
        reading = self._readings[partition]
        self._take(reading.timeline.feed(self._job.read(messages)))
        self._messages += len(messages)

    def _take(self, released: Released) -> None:
        self._outlet.add(released)
        self._unsaved.add(released.report)

    def _is_due(self) -> bool:
        limit = self._save_policy
        return (
            self._messages >= limit.messages
            or self._outlet.size >= limit.size
            or self._clock() - self._since >= max(limit.seconds, _REST * self._took)
        )

    def _follow_rebalance(self) -> None:
        """Go on from what is saved; what was built since is dropped, for whoever has it now builds it."""
        self._outlet.drop()
        self._unsaved, self._messages = TimelineReport(), 0
        self._generation = self._consumer.generation
        assigned = sorted(self._consumer.assignment)
        _LOG.info("assigned %s", assigned, extra={"generation": self._generation})
        self._readings = {partition: self._opened(partition) for partition in assigned}
        for partition, reading in self._readings.items():
            self._consumer.seek(partition, reading.position)

    def _opened(self, partition: Partition) -> _Reading:
        saved = self._states.load(partition)
        if saved is None:
            return _Reading(self._job.timeline(), self._stream.bounds(partition).earliest)
        return _Reading(self._job.timeline(saved.state), saved.position, saved.position)

    def _save(self) -> None:
        """Make durable what was built, and only then how far it goes."""
        began = self._clock()
        self._outlet.flush()
        for partition, reading in self._readings.items():
            if reading.position != reading.saved:
                self._states.save(partition, Saved(reading.position, reading.timeline.state()))
                reading.saved = reading.position
        self._since, self._messages = self._clock(), 0
        self._took = self._since - began
        if self._unsaved.events or self._unsaved.steps or self._unsaved.refused:
            self._total.add(self._unsaved)
            self._unsaved = TimelineReport()
            self._tell_group()
            self._on_progress(self._total)

    def _tell_group(self) -> None:
        try:
            self._consumer.commit({partition: one.position for partition, one in self._readings.items()})
        except StreamError as exc:
            _LOG.warning("the group was not told its offsets, which is harmless: %s", exc.message)

    def close(self) -> None:
        """Leave the group; what was taken and not saved comes again to whoever takes over."""
        try:
            self._consumer.close()
        finally:
            self._outlet.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
