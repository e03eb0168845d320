"""The stream that a lake's archives are fed by, as the settings say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingest import open_stream
from lake import Archive, Lake
from replaylake.settings import Settings, load_settings, revealed
from schemas.protocols import Stream, Topic


@contextmanager
def opened_stream(
    lake: Lake, stream: str | Stream | None, settings: Settings | None = None
) -> Iterator[Stream]:
    """Open the stream of a URL, or of the settings, for as long as it is needed.

    A stream that is given opened is used as it is, and left open.
    """
    if stream is not None and not isinstance(stream, str):
        yield stream
        return
    known = settings or load_settings()
    options = revealed(known.stream_options)
    with open_stream(stream or known.stream, embedded_folder=lake.stream_folder, options=options) as opened:
        yield opened


def archive_topic(archive: Archive, stream: Stream, settings: Settings | None = None) -> Topic:
    """Return the archive's topic, made where it is not there yet."""
    return stream.create_topic(archive.spec.topic, (settings or load_settings()).partitions)
