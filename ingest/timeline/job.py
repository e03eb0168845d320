"""What a stage builds: from which topic to which, by which mapping, spec and archive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.records import Mapped
from ingest.timeline.spec import TimelineSpec
from ingest.timeline.stream import Timeline
from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Message, Topic


@dataclass(frozen=True, slots=True, eq=False)
class TopicTimeline:
    """Say how the events of one topic become the steps of one archive.

    `read` maps messages of one partition, each by itself and in their order: what it makes of a message is
    the same in any batch and at any time.
    """

    events: Topic
    steps: Topic
    read: Callable[[Sequence[Message]], Mapped]
    spec: TimelineSpec
    archive: ArchiveSpec

    def timeline(self, state: bytes | None = None) -> Timeline:
        """Begin a partition's timeline, or go on from a state."""
        if state is None:
            return Timeline(self.spec, self.archive)
        return Timeline.restore(state, self.spec, self.archive)
