"""Ingest: wire the stream, the gates and the lake's tables to a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ingest import FlushPolicy, IngestReport, Intake, Worker
from lake import Archive, ArchiveLanding, Lake
from replaylake.flows.streams import archive_topic, opened_stream
from replaylake.settings import Settings, load_settings
from schemas.errors import UsageError
from schemas.protocols import Stream
from validation import Gate, Suite

OnProgress = Callable[[IngestReport], None]


def ingest_once(
    lake: Lake,
    *names: str,
    stream: str | Stream | None = None,
    flush: FlushPolicy | None = None,
    settings: Settings | None = None,
    on_progress: OnProgress | None = None,
) -> IngestReport:
    """Land what the stream holds now for these archives, or for all, and return what became of it.

    Run it again, or many at once: every step is in the steps or in quarantine, exactly once. `stream` and
    `flush` stand before what the settings say, which are read where they are not given.
    """
    with _worker(lake, names, stream, flush, settings or load_settings(), on_progress) as worker:
        return worker.run_to_end()


def ingest_follow(
    lake: Lake,
    *names: str,
    stop: threading.Event,
    stream: str | Stream | None = None,
    flush: FlushPolicy | None = None,
    settings: Settings | None = None,
    on_progress: OnProgress | None = None,
) -> IngestReport:
    """Land what comes until `stop` is set; what is buffered then is committed first."""
    with _worker(lake, names, stream, flush, settings or load_settings(), on_progress) as worker:
        return worker.run_until(stop)


@contextmanager
def _worker(
    lake: Lake,
    names: Sequence[str],
    stream: str | Stream | None,
    flush: FlushPolicy | None,
    settings: Settings,
    on_progress: OnProgress | None,
) -> Iterator[Worker]:
    archives = [lake.archive(name) for name in dict.fromkeys(names)] or lake.archives()
    if not archives:
        raise UsageError(
            f"The lake {lake.folder} has no archives.",
            hint="Create one first: replaylake archive create NAME --env CartPole-v1",
        )
    with opened_stream(lake, stream, settings) as source:
        intakes = [_intake(archive, source, settings) for archive in archives]
        worker = Worker(
            source,
            intakes,
            group=f"replaylake.{lake.id}",
            flush=flush or FlushPolicy(settings.flush_rows, settings.flush_bytes, settings.flush_seconds),
            on_progress=on_progress or (lambda report: None),
        )
        with worker:
            yield worker


def _intake(archive: Archive, stream: Stream, settings: Settings) -> Intake:
    return Intake(archive_topic(archive, stream, settings), ArchiveLanding(archive), gate_of(archive))


def gate_of(archive: Archive) -> Gate:
    """Compile the archive's gate: the spec's own rules, and its suite where it has one."""
    suite = archive.suite
    return Gate(archive.spec, None if suite is None else Suite.from_dict(suite))
