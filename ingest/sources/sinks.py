"""Sinks: what becomes of the records of a file on their way to an archive's topic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from ingest.mapping import RecordMapping
from ingest.records import Mapped, Records
from ingest.sources.identity import columns_of, identity_mapping
from ingest.sources.lines import LineSender
from ingest.sources.raw_lines import Lines
from ingest.sources.sending import StepSender
from ingest.timeline import TimelineSpec, build_steps
from schemas.archive_spec import ArchiveSpec

R = TypeVar("R", contravariant=True)
_SLICE = 50_000  # rows
_FLUSH_BYTES = 16 << 20


class Sink(Protocol[R]):
    """Take what was read."""

    @property
    def is_full(self) -> bool:
        """Say whether it is time to flush."""

    def take(self, records: R, since: datetime) -> int:
        """Take records, and return how many; what has no time of its own happened at `since`."""

    def flush(self) -> None:
        """Return once all that was taken is durable."""


class MappedSink:
    """Map records, and send the steps."""

    def __init__(self, mapping: RecordMapping, spec: ArchiveSpec, sender: StepSender) -> None:
        """Plan the mapping; raise UsageError where it cannot make steps of the archive."""
        self._application = mapping.application(spec)
        self._sender = sender

    @property
    def is_full(self) -> bool:
        """Say whether it is time to flush."""
        return self._sender.is_full

    def take(self, records: Records, since: datetime) -> int:
        """Map records and take the steps; what is none goes to quarantine."""
        self._sender.refuse(records.refused)
        if len(records):
            self._sender.send(self._application.apply(records), records.raw, since)
        return len(records) + len(records.refused)

    def flush(self) -> None:
        """Return once all that was taken is durable."""
        self._sender.flush()


class TimelineSink:
    """Map records and keep them: the steps are built, and sent, of all together when it is flushed.

    They count as sent now, so that an event from the far future is refused, and makes no other late.
    """

    is_full = False

    def __init__(
        self,
        mapping: RecordMapping,
        timeline: TimelineSpec,
        spec: ArchiveSpec,
        sender: StepSender,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Plan the mapping; raise UsageError where it cannot make what the timeline reads."""
        self._application = mapping.application(spec)
        self._timeline = timeline
        self._now = now
        self._spec = spec
        self._sender = sender
        self._mapped: list[Mapped] = []

    def take(self, records: Records, since: datetime) -> int:
        """Map records, and keep them."""
        self._sender.refuse(records.refused)
        if len(records):
            mapped = replace(self._application.apply(records), raw=records.raw)
            self._mapped.append(mapped.sent_at(self._now()))
        return len(records) + len(records.refused)

    def flush(self) -> None:
        """Build the steps of all that was taken, and return once they are durable."""
        if self._mapped:
            released = build_steps(self._mapped, self._timeline, self._spec)
            self._sender.refuse(released.refused)
            for start in range(0, released.steps.num_rows, _SLICE):
                self._sender.send_steps(released.steps.slice(start, _SLICE))
                if self._sender.is_full:
                    self._sender.flush()
            self._mapped = []
        self._sender.flush()


class IdentitySink:
    """Send the rows of tables whose columns are called as the step's are."""

    def __init__(self, spec: ArchiveSpec, sender: StepSender) -> None:
        self._spec = spec
        self._sender = sender
        self._by_columns: dict[tuple[str, ...], MappedSink] = {}

    @property
    def is_full(self) -> bool:
        """Say whether it is time to flush."""
        return self._sender.is_full

    def take(self, records: Records, since: datetime) -> int:
        """Take rows; raise UsageError for a column that the archive does not have."""
        if not len(records):
            self._sender.refuse(records.refused)
            return len(records.refused)
        return self._sink_of(records).take(records, since)

    def _sink_of(self, records: Records) -> MappedSink:
        columns = columns_of(records.fields)
        if columns not in self._by_columns:
            mapping = identity_mapping(records.fields, self._spec)
            self._by_columns[columns] = MappedSink(mapping, self._spec, self._sender)
        return self._by_columns[columns]

    def flush(self) -> None:
        """Return once all that was taken is durable."""
        self._sender.flush()


class LineSink:
    """Send lines of JSON as they are."""

    def __init__(self, lines: LineSender, sender: StepSender) -> None:
        self._lines = lines
        self._sender = sender

    @property
    def is_full(self) -> bool:
        """Say whether it is time to flush."""
        return self._lines.held >= _FLUSH_BYTES or self._sender.is_full

    def take(self, records: Lines, since: datetime) -> int:
        """Take lines; the gate gives those without a time that of their message."""
        self._sender.refuse(records.refused)
        before = self._lines.taken
        for line in records.whole:
            self._lines.add(line)
        return self._lines.taken - before + len(records.refused)

    def flush(self) -> None:
        """Return once all that was taken is durable."""
        self._lines.send_all()
        self._sender.flush()
        self._lines.held = 0
