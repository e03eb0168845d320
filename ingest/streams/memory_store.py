"""What the memory stream holds: topics, their messages, and groups, all behind one lock."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ingest.streams.assignment import assign, place
from schemas.errors import NotFoundError
from schemas.protocols import Bounds, Headers, Message, Partition, Topic

Pending = tuple[bytes | None, int | None, bytes, Headers]  # key, explicit partition, value, headers


@dataclass(slots=True)
class Log:
    """Hold one partition: `messages[0]` has the offset `earliest`."""

    earliest: int = 0
    timestamp_ms: int = 0
    messages: list[Message] = field(default_factory=list)

    @property
    def bounds(self) -> Bounds:
        """The offsets that are held."""
        return Bounds(self.earliest, self.earliest + len(self.messages))


@dataclass(slots=True)
class Member:
    """Hold what a member wants, and when the others may expel it."""

    topics: tuple[str, ...]
    expires: float


@dataclass(slots=True)
class Group:
    """Hold a group's members and what they told of their positions."""

    epoch: int = 0
    members: dict[int, Member] = field(default_factory=dict)
    positions: dict[Partition, int] = field(default_factory=dict)


class Store:
    """Hold everything. Whoever reads or changes anything holds `changed`, and calls `tell` after a change."""

    def __init__(self, clock: Callable[[], float], session_timeout: float) -> None:
        self.clock = clock
        self.session_timeout = session_timeout
        self.changed = threading.Condition(threading.RLock())
        self.version = 0
        self.members = 0  # how many there ever were, so that no number is used twice
        self.topics: dict[str, Topic] = {}
        self.logs: dict[Partition, Log] = {}
        self.groups: dict[str, Group] = {}

    def tell(self) -> None:
        """Wake those who wait for a change."""
        self.version += 1
        self.changed.notify_all()

    def topic(self, name: str) -> Topic:
        """Describe a topic; raise NotFoundError where there is none."""
        if name not in self.topics:
            raise NotFoundError("topic", name, known=self.topics)
        return self.topics[name]

    def log(self, partition: Partition) -> Log:
        """Return the partition's log; raise NotFoundError where there is none."""
        if partition not in self.logs:
            raise NotFoundError("partition", f"{partition.topic}/{partition.number}")
        return self.logs[partition]

    def make_topic(self, name: str, partitions: int) -> None:
        """Make a topic, for every group to share out."""
        self.topics[name] = Topic(name, str(uuid.uuid4()), partitions)
        for number in range(partitions):
            self.logs[Partition(name, number)] = Log()
        self._share_anew()

    def delete_topic(self, name: str) -> None:
        """Delete a topic with its messages and what groups told of it."""
        for number in range(self.topic(name).partitions):
            del self.logs[Partition(name, number)]
            for group in self.groups.values():
                group.positions.pop(Partition(name, number), None)
        del self.topics[name]
        self._share_anew()

    def append(self, buffer: Mapping[str, Sequence[Pending]]) -> None:
        """Append messages by topic, all of them or, where this raises, none."""
        now = int(self.clock() * 1000)
        placed = {topic: self._place(topic, pending) for topic, pending in buffer.items()}
        for topic, pending in buffer.items():
            for (number, log), (key, _, value, headers) in zip(placed[topic], pending, strict=True):
                log.timestamp_ms = max(now, log.timestamp_ms)
                end = log.earliest + len(log.messages)
                log.messages.append(Message(topic, number, end, log.timestamp_ms, key, value, headers))
        self.tell()

    def share(self, group: Group, member: int) -> frozenset[Partition]:
        """Return what a member of the group has."""
        counts = {name: topic.partitions for name, topic in self.topics.items()}
        shares = assign({number: known.topics for number, known in group.members.items()}, counts)
        return shares.get(member, frozenset())

    def _place(self, topic: str, pending: Sequence[Pending]) -> list[tuple[int, Log]]:
        count = self.topic(topic).partitions
        ends = [self.logs[Partition(topic, number)].bounds.end for number in range(count)]
        numbers = place(((key, partition) for key, partition, _, _ in pending), ends)
        return [(number, self.log(Partition(topic, number))) for number in numbers]

    def _share_anew(self) -> None:
        for group in self.groups.values():
            group.epoch += 1
        self.tell()
