"""Files into an archive's topic: each from where the last run stood, and none of it twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Self

from ingest.mapping import RecordMapping
from ingest.sources.byte_stream import ByteStream, by_name, open_bytes, reopened
from ingest.sources.formats import told
from ingest.sources.identity import with_empty_as_null
from ingest.sources.ledger import Known, Ledger, unlisted
from ingest.sources.lines import LineSender
from ingest.sources.options import SourceOptions
from ingest.sources.places import LIMITS, Place, ReadLimits
from ingest.sources.raw_lines import raw_reader_of
from ingest.sources.reading import Reader, file_name, reader_over
from ingest.sources.sending import StepSender
from ingest.sources.sinks import IdentitySink, LineSink, MappedSink, Sink, TimelineSink
from schemas.archive_spec import ArchiveSpec
from schemas.errors import DataError
from schemas.protocols import Stream, Topic

_LINES = ("json", "ndjson")  # formats that are sent as they are where nothing says how to map them

_BEGINS = 16 << 10  # bytes


@dataclass(slots=True)
class PublishReport:
    """Count what was published."""

    records: int = 0
    steps: int = 0  # of mapped records; what is sent as it is is not counted here
    refused: int = 0  # what became no step, and is on its way to quarantine
    size: int = 0  # bytes that were read, of files that have such places
    already: list[str] = field(default_factory=list)  # files that were published before, with nothing new
    torn: list[DataError] = field(default_factory=list)  # files that break off


@dataclass(frozen=True, slots=True)
class _Opened:
    reader: Reader[Any]
    sink: Sink[Any]
    name: str
    begins: bytes


class FilePublisher:
    """Publish files of records, from one thread.

    With a mapping its rows are sent; without one, JSON and NDJSON as they are, and tables by the names of
    their columns. What was published before, as the ledger has it, is left out unless `again`.
    """

    def __init__(
        self,
        stream: Stream,
        topic: Topic,
        spec: ArchiveSpec,
        ledger: Ledger,
        *,
        mapping: RecordMapping | None = None,
        options: SourceOptions | None = None,
        again: bool = False,
        limits: ReadLimits = LIMITS,
        on_progress: Callable[[PublishReport], None] = lambda report: None,
    ) -> None:
        """Open a producer; raise UsageError where the mapping cannot make steps of the archive."""
        self.report = PublishReport()
        self._mapping = mapping
        self._options = options or (mapping and mapping.source) or SourceOptions()
        self._ledger = ledger
        self._again = again
        self._limits = limits
        self._on_progress = on_progress
        self._unsaved: list[Known] = []
        self._met: list[Known] = []
        self._producer = stream.producer()
        self._sender = StepSender(spec, topic, self._producer)
        self._lines = LineSink(LineSender(self._producer, topic), self._sender)
        self._tables: Sink[Any] = IdentitySink(spec, self._sender)
        self._needs_all = mapping is not None and mapping.timeline is not None
        if mapping is not None and mapping.timeline is not None:
            self._tables = TimelineSink(mapping, mapping.timeline, spec, self._sender)
        elif mapping is not None:
            self._tables = MappedSink(mapping, spec, self._sender)

    def publish(self, files: Sequence[str]) -> PublishReport:
        """Publish files in their order; durable on return. With a timeline all are read where one is new.

        Raise UsageError before anything was sent for a file that cannot be read. One that breaks off holds
        up no other: that is among the report's `torn`.
        """
        for file in files:
            self.check(file)
        if self._needs_all and not self._again:
            if all(self._has_nothing_new(file) for file in files):
                self.report.already += files
                return self.report
            self._again = True
        for file in files:
            try:
                self.publish_one(file)
            except DataError as exc:
                self.report.torn.append(exc)
        self.flush()
        return self.report

    def publish_one(
        self, path: str, handle: BinaryIO | None = None, *, partial: bool = False
    ) -> Known | None:
        """Publish what is new of one file; None where it has no record yet. See `flush`.

        With a `handle` that is read, whatever the path names now. With `partial`, what may still be growing
        at its end is left. Raise DataError where it breaks off, after what came before.
        """
        with self._at_its_place(path, handle, partial) as found:
            if found is None:
                return None
            opened, known, goes_on = found
            before = self.report.records
            self._publish(opened, known)
            if goes_on and not partial and self.report.records == before:
                self.report.already.append(path)
            return known

    def goes_on(self, path: str, known: Known) -> bool:
        """Publish the rest of a file, if it is a copy of the known one; say whether it is."""
        with self._open(path, None, False, named=known.path) as opened:
            if opened.reader.fingerprint != known.fingerprint or not opened.reader.resume(known.place):
                return False
            self._publish(opened, known)
            return True

    def check(self, path: str) -> None:
        """Raise UsageError for a file that cannot be read. A pipe is not looked at: that would take it."""
        if os.path.isfile(path):
            with self._bytes(path, None) as stream:
                told(path, stream, self._options)

    def is_growing(self, path: str) -> bool:
        """Say whether a file can be read while it grows: lines of text that are not compressed."""
        if self._options.compression not in (None, "none") or by_name(path):
            return False
        with self._bytes(path, None) as stream:
            options = told(path, stream, self._options)
        return options.format in ("csv", "ndjson")

    def flush(self) -> None:
        """Return once all that was read is durable in the stream, and noted in the ledger."""
        for sink in (self._lines, self._tables):
            sink.flush()
        for known in self._unsaved:
            self._ledger.save(known)
        self._unsaved.clear()
        self.report.steps, self.report.refused = self._sender.steps, self._sender.refused

    def close(self) -> None:
        """Let go of the producer; what was not flushed may be sent all the same."""
        self._producer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _publish(self, opened: _Opened, known: Known) -> None:
        for batch in opened.reader.batches(opened.name):
            self.report.records += opened.sink.take(batch.records, known.since)
            self.report.size += max(0, batch.end.offset - known.place.offset)
            known.place = batch.end
            if known not in self._unsaved:
                self._unsaved.append(known)
            if opened.sink.is_full:
                self.flush()
            self._on_progress(self.report)

    @contextmanager
    def _at_its_place(
        self, path: str, handle: BinaryIO | None, partial: bool
    ) -> Iterator[tuple[_Opened, Known, bool] | None]:
        """Open a file where it is to be read from, with what is known of it; True where it goes on."""
        with ExitStack() as stack:
            opened = stack.enter_context(self._open(path, handle, partial))
            fingerprint = opened.reader.fingerprint
            if fingerprint is None:
                yield None
                return
            if handle is None and not os.path.isfile(path):  # a pipe, which is read once
                yield opened, unlisted(fingerprint, path), False
                return
            for known in self._ledger.find(fingerprint):
                if not known.head.is_of(opened.begins):
                    continue
                went_on = known.place == Place() or opened.reader.resume(known.place)
                if went_on and not self._is_resent(known):
                    yield opened, known, True
                    return
                stack.close()
                opened = stack.enter_context(self._open(path, handle, partial))
                if went_on:
                    known.place = Place()
                    yield opened, known, False
                    return
            yield opened, self._ledger.add(fingerprint, path, opened.begins), False

    def _has_nothing_new(self, path: str) -> bool:
        """Say whether all of a file was published before."""
        with self._at_its_place(path, None, False) as found:
            if found is None:
                return True
            opened, _, goes_on = found
            return goes_on and next(iter(opened.reader.batches(opened.name)), None) is None

    def _is_resent(self, known: Known) -> bool:
        """Say whether a file is to be sent again, from its start: the first time that it is met."""
        if not self._again or known in self._met:
            return False
        self._met.append(known)
        return True

    @contextmanager
    def _open(
        self, path: str, handle: BinaryIO | None, partial: bool, named: str | None = None
    ) -> Iterator[_Opened]:
        with self._bytes(path, handle) as stream:
            options = told(named or path, stream, self._options)
            begins = stream.peek(_BEGINS)
            if self._mapping is None and options.format in _LINES and options.records is None:
                raw = raw_reader_of(stream, options, partial=partial, limits=self._limits)
                yield _Opened(raw, self._lines, path, begins)
                return
            if self._mapping is None:
                options = with_empty_as_null(options)
            with reader_over(stream, path, options, partial=partial, limits=self._limits) as reader:
                yield _Opened(reader, self._tables, file_name(reader, options), begins)

    @contextmanager
    def _bytes(self, path: str, handle: BinaryIO | None) -> Iterator[ByteStream]:
        if handle is not None:
            yield reopened(handle, path)
            return
        with open_bytes(path, self._options.compression) as stream:
            yield stream
