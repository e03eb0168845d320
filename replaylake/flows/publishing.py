"""Publish to an archive: into the stream of the settings, unless another is given."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import ingest
from lake import Archive, Lake
from replaylake.flows.streams import archive_topic, opened_stream
from replaylake.settings import Settings
from schemas.protocols import Stream


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
            opened = stack.enter_context(opened_stream(_lake_of(archive), stream, settings))
            archive_topic(archive, opened, settings)
            super().__init__(archive.spec, opened, **options)
            self._resources = stack.pop_all()

    def close(self) -> None:
        """Flush and let go, of the stream too where it was opened here. Closing twice is harmless."""
        with self._resources:
            super().close()


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
    with opened_stream(_lake_of(archive), stream, settings) as opened:
        topic = archive_topic(archive, opened, settings)
        return ingest.publish_lines(lines, opened, topic.name)


def _lake_of(archive: Archive) -> Lake:
    return Lake(archive.folder.parent)
