"""The timeline: a topic of events into an archive's topic of steps, by a mapping that says how."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow as pa

from ingest.mapping import Application, RecordMapping
from ingest.records import Mapped
from ingest.sources.options import SourceOptions
from ingest.sources.topic import TopicDecoder
from ingest.timeline import (
    SavedStates,
    SavePolicy,
    TimelineReport,
    TimelineSpec,
    TimelineStage,
    TopicTimeline,
)
from lake import Archive, Lake
from replaylake.flows.streams import archive_topic, opened_stream
from replaylake.settings import Settings, load_settings
from schemas.errors import UsageError
from schemas.protocols import Message, Stream, Topic

OnProgress = Callable[[TimelineReport], None]
_FOLDER = ".timelines"  # in the lake's, hidden from the names of archives
_MILLISECOND = 1000  # microseconds


def timeline_once(
    lake: Lake,
    name: str,
    topic: str,
    mapping: RecordMapping,
    *,
    close: bool = False,
    stream: str | Stream | None = None,
    save: SavePolicy | None = None,
    settings: Settings | None = None,
    on_progress: OnProgress | None = None,
) -> TimelineReport:
    """Build an archive's steps from the events that a topic holds now, and send them to its topic.

    What later events may still change is held for the next run. With `close` every session ends here,
    truncated: for a log that is complete. Run it again, or many at once: every step lands once.
    """
    with _stage(lake, name, topic, mapping, stream, save, settings, on_progress) as stage:
        return stage.run_to_end(close=close)


def timeline_follow(
    lake: Lake,
    name: str,
    topic: str,
    mapping: RecordMapping,
    *,
    stop: threading.Event,
    stream: str | Stream | None = None,
    save: SavePolicy | None = None,
    settings: Settings | None = None,
    on_progress: OnProgress | None = None,
) -> TimelineReport:
    """Build an archive's steps from the events of a topic as they come, until `stop` is set."""
    with _stage(lake, name, topic, mapping, stream, save, settings, on_progress) as stage:
        return stage.run_until(stop)


@contextmanager
def _stage(
    lake: Lake,
    name: str,
    topic: str,
    mapping: RecordMapping,
    stream: str | Stream | None,
    save: SavePolicy | None,
    settings: Settings | None,
    on_progress: OnProgress | None,
) -> Iterator[TimelineStage]:
    archive, known = lake.archive(name), settings or load_settings()
    spec = _timeline_of(mapping)
    with opened_stream(lake, stream, known) as opened:
        events = opened.topic(topic)
        steps = archive_topic(archive, opened, known)
        if events.name == steps.name:
            raise UsageError(f"The topic {topic!r} is the archive's own.", hint="Name the one of the events.")
        job = TopicTimeline(events, steps, _reader(mapping, archive, events), spec, archive.spec)
        stage = TimelineStage(
            opened,
            job,
            SavedStates(lake.state_folder / _FOLDER / name, events, _fingerprint(mapping, archive)),
            f"replaylake.{lake.id}.timeline.{name}.{topic}",
            save=save,
            on_progress=on_progress or (lambda report: None),
        )
        with stage:
            yield stage


def _timeline_of(mapping: RecordMapping) -> TimelineSpec:
    if mapping.timeline is None:
        raise UsageError(
            "The mapping has no section `timeline`, which says how events become steps.",
            hint="Write one, see docs/timeline.md; records that are steps already are published as they are.",
        )
    return mapping.timeline


def _fingerprint(mapping: RecordMapping, archive: Archive) -> str:
    """Identify all that decides what events become."""
    return hashlib.sha256(f"{mapping.hash}/{archive.spec.hash}".encode()).hexdigest()[:16]


def _reader(mapping: RecordMapping, archive: Archive, events: Topic) -> Callable[[Sequence[Message]], Mapped]:
    """Return what makes mapped rows of messages: decoded, mapped, and with the time of each row's message."""
    decoder = TopicDecoder(mapping.source or SourceOptions(), events.id)
    application: Application = mapping.application(archive.spec)

    def read(messages: Sequence[Message]) -> Mapped:
        records, message_of = decoder.decode(messages)
        if not len(records):
            return Mapped(pa.table({}), np.zeros(0, np.int64), records.refused)
        mapped = application.apply(records)
        stamps = np.array([message.timestamp_ms for message in messages], np.int64) * _MILLISECOND
        return replace(
            mapped,
            refused=(*records.refused, *mapped.refused),
            raw=records.raw,
            sent=stamps[message_of[mapped.record]],
        )

    return read
