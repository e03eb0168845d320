"""The outlet: released steps and refused records on their way to the archive's topic."""

from __future__ import annotations

from ingest.publishing.outgoing import Sender
from ingest.records import Refused
from ingest.timeline.released import Released
from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Stream, Topic
from schemas.wire import refused_headers


class Outlet:
    """Gather what is to be sent, and send it: an episode to one partition, what was refused anywhere."""

    def __init__(self, stream: Stream, archive: ArchiveSpec, topic: Topic) -> None:
        self._archive, self._topic = archive, topic
        self._producer = stream.producer()
        self.drop()

    def drop(self) -> None:
        """Forget what was taken and not sent."""
        self._sender = Sender(self._archive, self._topic, self._producer)
        self._refused: list[Refused] = []
        self.size = 0  # bytes that are to be sent

    def add(self, released: Released) -> None:
        """Take what was released."""
        if released.steps.num_rows:
            self._sender.add([released.steps])
        self._refused.extend(released.refused)
        self.size += released.steps.nbytes + sum(len(refused.raw) for refused in released.refused)

    def flush(self) -> None:
        """Return once all that was taken is durable; raise StreamError where it cannot be made so."""
        for refused in self._refused:
            headers = refused_headers(refused.reason, refused.detail)
            self._producer.send(self._topic.name, refused.raw, headers=headers)
        self._refused = []
        self._sender.send()
        self.size = 0

    def close(self) -> None:
        """Let go of the producer."""
        self._sender.close()
