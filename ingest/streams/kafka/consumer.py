"""Read from Kafka as a member of a group: what is the same for both clients."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Protocol

from ingest.streams.group_consumer import check_assigned, check_held
from ingest.streams.kafka.options import KafkaOptions
from schemas.errors import StreamError, UsageError
from schemas.protocols import Bounds, Message, Partition

_GLANCE = 0.2  # seconds between two looks at the group while nothing comes
_FIRST = 64  # messages that are asked for while nobody knows how large they are


class KafkaClient(Protocol):
    """Follow a group, and fetch: what a client library has to be made to do.

    `owned` is what the group gave to this member, and `changes` grows with each change of it. Of a partition
    that came new nothing is delivered before `start`.
    """

    owned: frozenset[Partition]
    changes: int

    def fetch(self, most: int, timeout: float) -> list[Message]:
        """Wait up to `timeout` for messages; return those that are there, about so many at most."""

    def passed(self) -> Mapping[Partition, int]:
        """Return the offsets up to which the stream holds nothing that was not fetched."""

    def start(self, partition: Partition, offset: int) -> None:
        """Fetch a partition from an offset on."""

    def forget(self) -> None:
        """Deliver nothing of any partition before it is started again, as when it came new."""

    def hold(self, partitions: Sequence[Partition]) -> None:
        """Fetch nothing of these before they are started again."""

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group its next offsets."""

    def close(self) -> None:
        """Leave the group."""


class KafkaConsumer:
    """Read the partitions that the group gave to this member (see schemas.protocols.Consumer).

    Every change of the assignment is a new generation, in which all partitions are sought again. `close`
    leaves the group; a member that freezes is expelled after the session's time-out.
    """

    def __init__(
        self,
        servers: str,
        options: KafkaOptions,
        topics: Sequence[str],
        group: str,
        bounds: Callable[[Partition], Bounds],
    ) -> None:
        self._bounds = bounds
        self._client = _open_client(servers, options, topics, group)
        self._seen = 0  # changes of the client
        self._generation = 0
        self._assignment: frozenset[Partition] = frozenset()
        self._positions: dict[Partition, int] = {}  # what was sought
        self._paused: set[Partition] = set()
        self._fetched: deque[Message] = deque()  # by the client, and not yet polled
        self._typical = 0.0  # bytes of a message
        self._closed = False

    @property
    def assignment(self) -> frozenset[Partition]:
        """The partitions of this member as of the last `poll`."""
        return self._assignment

    @property
    def generation(self) -> int:
        """Grow with every change of the assignment as `poll` saw it."""
        return self._generation

    @property
    def positions(self) -> Mapping[Partition, int]:
        """The next offset of each partition that was sought."""
        if not self._fetched:
            for partition, offset in self._client.passed().items():
                if offset > self._positions.get(partition, offset):
                    self._positions[partition] = offset
        return dict(self._positions)

    def poll(self, max_messages: int, max_bytes: int, timeout: float) -> list[Message]:
        """Wait up to `timeout` seconds for messages; return [] at once where the assignment changed."""
        self._check_open()
        deadline = time.monotonic() + timeout
        while True:
            wanted = self._worth_asking_for(max_messages, max_bytes) - len(self._fetched)
            if wanted > len(self._fetched):  # a small rest alone is not worth a poll
                left = 0.0 if self._fetched else max(deadline - time.monotonic(), 0)
                self._fetched.extend(self._client.fetch(wanted, min(left, _GLANCE)))
            if self._follow():
                return []
            messages = self._take(max_messages, max_bytes)
            if messages or time.monotonic() >= deadline:
                return messages

    def seek(self, partition: Partition, offset: int) -> None:
        """Deliver from `offset` on; raise PositionLostError where the stream no longer has it."""
        self._check_assigned([partition])
        check_held(partition, offset, self._bounds(partition))
        self._forget([partition])
        self._positions[partition] = offset
        if partition not in self._paused:
            self._client.start(partition, offset)

    def pause(self, partitions: Sequence[Partition]) -> None:
        """Deliver nothing of these until `resume`, or until the next generation."""
        self._check_assigned(partitions)
        self._paused.update(partitions)
        self._forget(partitions)
        self._client.hold(partitions)

    def resume(self, partitions: Sequence[Partition]) -> None:
        """Deliver these again from where they were."""
        self._check_assigned(partitions)
        for partition in self._paused.intersection(partitions):
            self._paused.discard(partition)
            if partition in self._positions:
                self._client.start(partition, self._positions[partition])

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group the next offset of each partition, for the display of lag only."""
        self._check_open()
        mine = {partition: offset for partition, offset in offsets.items() if partition in self._assignment}
        if mine:
            self._client.commit(mine)

    def close(self) -> None:
        """Leave the group at once. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._client.close()

    def _follow(self) -> bool:
        """Say whether the assignment has changed since the last time; then everything is held."""
        if self._client.changes == self._seen:
            return False
        self._seen = self._client.changes
        self._generation += 1
        self._assignment = self._client.owned
        self._client.forget()
        self._positions.clear()
        self._paused.clear()
        self._fetched.clear()
        return True

    def _worth_asking_for(self, max_messages: int, max_bytes: int) -> int:
        """Return how many messages of the size of the last ones fill a poll."""
        wanted = int(max_bytes / self._typical) + 1 if self._typical else _FIRST
        return min(wanted, max_messages)

    def _take(self, max_messages: int, max_bytes: int) -> list[Message]:
        """Hand out what was fetched as far as the limits go, one message at least."""
        count = size = 0
        for total in accumulate(len(message.value) for message in self._fetched):
            if count == max_messages or (count and total > max_bytes):
                break
            count, size = count + 1, total
        if not count:
            return []
        taken = [self._fetched.popleft() for _ in range(count)]
        self._typical = max(size / count, 1.0)
        for partition, message in _last_of_each(taken):
            self._positions[partition] = message.offset + 1
        return taken

    def _forget(self, partitions: Sequence[Partition]) -> None:
        self._fetched = deque(m for m in self._fetched if Partition(m.topic, m.partition) not in partitions)

    def _check_open(self) -> None:
        if self._closed:
            raise StreamError("The consumer is closed.")

    def _check_assigned(self, partitions: Sequence[Partition]) -> None:
        self._check_open()
        check_assigned(partitions, self._assignment)


def _last_of_each(messages: Sequence[Message]) -> Iterator[tuple[Partition, Message]]:
    last = {(message.topic, message.partition): message for message in messages}
    for place, message in last.items():
        yield Partition(*place), message


def _open_client(servers: str, options: KafkaOptions, topics: Sequence[str], group: str) -> KafkaClient:
    """Open the fast client where it is installed, else the one that runs anywhere."""
    if options.client != "python":
        try:
            from ingest.streams.kafka.confluent import ConfluentClient
        except ImportError:
            if options.client == "confluent":
                raise UsageError(
                    "confluent-kafka is not installed.",
                    hint="Install it: pip install 'replaylake[confluent]'.",
                ) from None
        else:
            return ConfluentClient(servers, options, topics, group)
    if options.group_protocol != "classic":
        raise UsageError(
            "kafka-python does not speak the group protocol 'consumer'.",
            hint="Install confluent-kafka, or set group.protocol to classic.",
        )
    from ingest.streams.kafka.pure import PythonClient

    return PythonClient(servers, options, topics, group)
