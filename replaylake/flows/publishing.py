"""Publish to an archive: into the stream of the settings, unless another is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import ingest
from ingest.mapping import RecordMapping
from lake import Archive, Lake
from replaylake.flows.streams import archive_topic, opened_stream
from replaylake.settings import Settings
from schemas.errors import DataError, UsageError
from schemas.protocols import Stream

MappingLike = RecordMapping | Mapping[str, Any] | str | Path
OnProgress = Callable[[ingest.PublishReport], None]


class Publisher(ingest.Publisher):
    """Publish steps of an archive; see `ingest.Publisher` for the options, such as `run` and `source`.

    `stream` is a URL or a stream that is open already; without one it is the one of the settings, which
    are read where they are not given.
    """

    def __init__(
        self,
        archive: Archive,
        *,
        stream: str | Stream | None = None,
        settings: Settings | None = None,
        **options: Any,
    ) -> None:
        with ExitStack() as stack:
            opened = stack.enter_context(opened_stream(Lake.of(archive), stream, settings))
            archive_topic(archive, opened, settings)
            super().__init__(archive.spec, opened, **options)
            self.outbox.at_end(stack.pop_all().close)


class AsyncPublisher(ingest.AsyncPublisher):
    """Publish steps of an archive from asyncio: `async with AsyncPublisher(archive) as out: ...`.

    See Publisher for the options, and `ingest.AsyncPublisher` for the calls.
    """

    def __init__(self, archive: Archive, **options: Any) -> None:
        super().__init__(partial(Publisher, archive, **options))


def publish_lines(
    archive: Archive,
    lines: Iterable[bytes],
    *,
    stream: str | Stream | None = None,
    settings: Settings | None = None,
) -> int:
    """Send lines of JSON as they are, and return how many: the gate judges them when they are ingested.

    Sending the same lines again adds nothing to the archive, as long as they name their episodes.
    """
    with opened_stream(Lake.of(archive), stream, settings) as opened:
        topic = archive_topic(archive, opened, settings)
        return ingest.publish_lines(lines, opened, topic.name)


def publish_files(
    archive: Archive,
    *paths: str | Path,
    mapping: MappingLike | None = None,
    options: ingest.SourceOptions | None = None,
    again: bool = False,
    stop: threading.Event | None = None,
    stream: str | Stream | None = None,
    settings: Settings | None = None,
    on_progress: OnProgress = lambda report: None,
) -> ingest.PublishReport:
    """Publish files, folders and patterns of files; durable on return.

    `mapping`, a file or its content, says which fields become which columns. Without one, JSON is sent as it
    is, and tables whose columns are called as the step's are. `options` stand before the mapping's own
    `source`. A file goes on where an earlier call stood, and sends nothing where nothing is new, unless
    `again`: then the worker drops what it has. With `stop` the files are followed until it is set.

    Raise UsageError before anything was sent for what cannot be read, and DataError for files that break
    off, after all others were published.
    """
    made = None if mapping is None else _mapping_of(mapping)
    if made is not None and made.timeline is not None and stop is not None:
        raise UsageError(
            "A timeline over files needs all of them.",
            hint="Leave --follow out, or publish events to a topic for `replaylake ingest timeline`.",
        )
    names = [str(path) for path in paths]
    said = options or (made and made.source) or ingest.SourceOptions()
    any_name = said.format is not None
    lake = Lake.of(archive)
    with opened_stream(lake, stream, settings) as opened:
        topic = archive_topic(archive, opened, settings)
        ledger = ingest.Ledger(lake.state_folder / ".sources" / archive.spec.name, topic.id)
        files = [] if stop is not None else ingest.find_files(names, any_name=any_name)
        with ingest.FilePublisher(
            opened,
            topic,
            archive.spec,
            ledger,
            mapping=made,
            options=said,
            again=again,
            on_progress=on_progress,
        ) as publisher:
            if stop is not None:
                return ingest.follow_files(publisher, names, stop, any_name=any_name)
            report = publisher.publish(files)
    _check_whole(report)
    return report


def publish_topic(
    archive: Archive,
    topic: str,
    *,
    mapping: MappingLike,
    again: bool = False,
    stop: threading.Event | None = None,
    stream: str | Stream | None = None,
    settings: Settings | None = None,
    on_progress: OnProgress = lambda report: None,
) -> ingest.PublishReport:
    """Publish the records of a foreign topic of the same stream; durable on return.

    It goes on where its group stood, or `again` at the earliest message there is. Without `stop` it ends with
    what the topic holds now, and with it, it goes on until that is set. Any number may run at once.
    """
    made = _mapping_of(mapping)
    if made.timeline is not None:
        raise UsageError(
            "The events of a topic become steps in a stage of their own.",
            hint="Use `replaylake ingest timeline`, or a mapping without a timeline.",
        )
    lake = Lake.of(archive)
    with opened_stream(lake, stream, settings) as opened:
        target = archive_topic(archive, opened, settings)
        group = f"replaylake.{lake.id}.publish.{archive.spec.name}"
        with ingest.TopicPublisher(
            opened, topic, target, archive.spec, group, made, again=again, on_progress=on_progress
        ) as publisher:
            return publisher.run_to_end() if stop is None else publisher.run_until(stop)


def _mapping_of(mapping: MappingLike) -> RecordMapping:
    if isinstance(mapping, RecordMapping):
        return mapping
    if isinstance(mapping, str | Path):
        return RecordMapping.load(mapping)
    return RecordMapping.from_dict(mapping)


def _check_whole(report: ingest.PublishReport) -> None:
    """Raise the DataError of the first file that broke off."""
    if not report.torn:
        return
    first, others = report.torn[0], len(report.torn) - 1
    more = f" So {'do' if others > 1 else 'does'} {others} more." if others else ""
    raise DataError(f"{first.message}{more}", hint=first.hint) from first
