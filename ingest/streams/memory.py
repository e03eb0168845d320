"""The stream in memory: for tests and notebooks, in one process, gone with it."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import time as now
from typing import Self

from ingest.streams.group_consumer import SESSION_TIMEOUT, GroupConsumer, check_held
from ingest.streams.memory_store import Group, Member, Pending, Store
from schemas.errors import NotFoundError, StreamError, UsageError
from schemas.protocols import Bounds, Headers, Message, Partition, Topic
from schemas.times import epoch_ms

_shared: dict[str, MemoryStream] = {}
_shared_lock = threading.Lock()


def shared_stream(name: str) -> MemoryStream:
    """Return this process's stream of that name, the same one every time."""
    with _shared_lock:
        return _shared.setdefault(name, MemoryStream())


class MemoryStream:
    """Hold topics in memory (see schemas.protocols.Stream). Threads may share it.

    `close` lets go of nothing: the messages live as long as this object does.
    """

    def __init__(self, *, clock: Callable[[], float] = now, session_timeout: float = SESSION_TIMEOUT) -> None:
        self._store = Store(clock, session_timeout)

    def create_topic(self, name: str, partitions: int = 4) -> Topic:
        """Make the topic, or return the one that is there, however many partitions it has."""
        if partitions < 1:
            raise UsageError(f"A topic cannot have {partitions} partitions.", hint="Give 1 or more.")
        with self._store.changed:
            if name not in self._store.topics:
                self._store.make_topic(name, partitions)
            return self._store.topics[name]

    def topic(self, name: str) -> Topic:
        """Describe a topic; raise NotFoundError where there is none."""
        with self._store.changed:
            return self._store.topic(name)

    def delete_topic(self, name: str) -> None:
        """Delete a topic with its messages; raise NotFoundError where there is none."""
        with self._store.changed:
            self._store.delete_topic(name)

    def bounds(self, partition: Partition) -> Bounds:
        """Say which offsets the partition still holds."""
        with self._store.changed:
            return self._store.log(partition).bounds

    def offset_at(self, partition: Partition, time: datetime) -> int:
        """Return the first held offset whose message is of that time or later; the end without one."""
        with self._store.changed:
            log = self._store.log(partition)
            found = bisect_left(log.messages, epoch_ms(time), key=lambda message: message.timestamp_ms)
            return log.earliest + found

    def trim(self, partition: Partition, before: int) -> Bounds:
        """Delete the messages below offset `before`; return what is still held."""
        with self._store.changed:
            log = self._store.log(partition)
            earliest = min(max(before, log.earliest), log.bounds.end)
            del log.messages[: earliest - log.earliest]
            log.earliest = earliest
            self._store.tell()
            return log.bounds

    def committed(self, group: str, partition: Partition) -> int | None:
        """Return the next offset that the group last told, or None."""
        with self._store.changed:
            known = self._store.groups.get(group)
            return None if known is None else known.positions.get(partition)

    def producer(self) -> MemoryProducer:
        """Open a producer, for one thread."""
        return MemoryProducer(self._store)

    def consumer(self, topics: Sequence[str], group: str) -> GroupConsumer:
        """Join a group that shares out the partitions of these topics; raise NotFoundError without one."""
        if not topics:
            raise UsageError("A consumer needs a topic.", hint="Name one.")
        for name in topics:
            self.topic(name)
        return GroupConsumer(
            MemoryMember(self._store, topics, group),
            clock=self._store.clock,
            session_timeout=self._store.session_timeout,
        )

    def close(self) -> None:
        """Do nothing: whoever opened the same stream may still use it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class MemoryProducer:
    """Append messages at `flush`, all of them or, where it raises, none (see schemas.protocols.Producer)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._buffer: dict[str, list[Pending]] = {}
        self._closed = False

    def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Buffer a message."""
        if self._closed:
            raise StreamError("The producer is closed.")
        count = self._store.topic(topic).partitions
        if partition is not None and not 0 <= partition < count:
            raise NotFoundError("partition", f"{topic}/{partition}", hint=f"The topic has {count}.")
        self._buffer.setdefault(topic, []).append((key, partition, value, headers))

    def flush(self) -> None:
        """Return once every message sent so far can be read."""
        if self._buffer:
            with self._store.changed:
                self._store.append(self._buffer)
            self._buffer = {}

    def close(self) -> None:
        """Flush and let go. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self.flush()


class MemoryMember:
    """Read the stream as a member of a group, joined at once (see group_consumer.MemberLog)."""

    def __init__(self, store: Store, topics: Sequence[str], group: str) -> None:
        self._store = store
        self._topics = tuple(topics)
        with store.changed:
            store.members += 1
            self._id = store.members
            self._group = store.groups.setdefault(group, Group())
            self.beat(store.clock())

    def version(self) -> int:
        """Return the store's count of changes."""
        return self._store.version

    def wait(self, seen: int, seconds: float) -> None:
        """Sleep until the version is no longer `seen`, or for so long."""
        with self._store.changed:
            self._store.changed.wait_for(lambda: self._store.version != seen, seconds)

    def beat(self, now: float) -> None:
        """Stay a member, or become one again; expel those who did not beat in time."""
        with self._store.changed:
            members = self._group.members
            before = set(members)
            members[self._id] = Member(self._topics, now + self._store.session_timeout)
            for late in [number for number, member in members.items() if member.expires < now]:
                del members[late]
            if members.keys() != before:
                self._changed()

    def epoch(self) -> int:
        """Return the group's epoch."""
        return self._group.epoch

    def standing(self) -> tuple[int, frozenset[Partition]]:
        """Return the epoch, and what this member has in it."""
        with self._store.changed:
            return self._group.epoch, self._store.share(self._group, self._id)

    def bounds(self, partition: Partition) -> Bounds:
        """Say which offsets the partition still holds."""
        with self._store.changed:
            return self._store.log(partition).bounds

    def read(
        self, wanted: Sequence[tuple[Partition, int]], max_messages: int, max_bytes: int
    ) -> list[list[Message]]:
        """Return runs of messages, each of one partition and none empty, from the offsets wanted on."""
        runs: list[list[Message]] = []
        for run in self._held(wanted, max_messages):
            taken: list[Message] = []
            for message in run[:max_messages]:
                max_bytes -= len(message.value)
                if max_bytes < 0 and (runs or taken):
                    return [*runs, taken] if taken else runs
                taken.append(message)
            max_messages -= len(taken)
            if taken:
                runs.append(taken)
        return runs

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Note the group's next offsets; of a topic that is gone, none."""
        with self._store.changed:
            there = {
                partition: next_ for partition, next_ in offsets.items() if partition in self._store.logs
            }
            self._group.positions.update(there)

    def close(self) -> None:
        """Leave the group."""
        with self._store.changed:
            if self._group.members.pop(self._id, None) is not None:
                self._changed()

    def _held(self, wanted: Sequence[tuple[Partition, int]], most: int) -> list[list[Message]]:
        held = []
        with self._store.changed:
            for partition, offset in wanted:
                log = self._store.logs.get(partition)
                if log is not None:  # else deleted; the next poll sees that the group's epoch has changed
                    check_held(partition, offset, log.bounds)
                    start = offset - log.earliest
                    held.append(log.messages[start : start + most])
        return held

    def _changed(self) -> None:
        self._group.epoch += 1
        self._store.tell()
