"""The consumer of the streams that keep their own groups: embedded and memory.

What differs between them is a `MemberLog`; what a group member does with it is here, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from schemas.errors import PositionLostError, StreamError, UsageError
from schemas.protocols import Bounds, Message, Partition

SESSION_TIMEOUT = 10.0  # seconds without a beat after which the others expel a member
_BEATS_PER_SESSION = 5  # so that one late beat expels nobody


class MemberLog(Protocol):
    """Read a stream as one member of one group, which this has joined."""

    def version(self) -> int:
        """Return a number that differs whenever another has changed anything in the stream."""

    def wait(self, seen: int, seconds: float) -> None:
        """Sleep until the version is no longer `seen`, or for so long."""

    def beat(self, now: float) -> None:
        """Stay a member, or become one again; expel those who did not beat in time."""

    def epoch(self) -> int:
        """Return the number that grows with every change of the group or of the topics."""

    def standing(self) -> tuple[int, frozenset[Partition]]:
        """Return the epoch, and what this member has in it."""

    def bounds(self, partition: Partition) -> Bounds:
        """Say which offsets the partition still holds."""

    def read(
        self, wanted: Sequence[tuple[Partition, int]], max_messages: int, max_bytes: int
    ) -> list[list[Message]]:
        """Return runs of messages, each of one partition and none empty, from the offsets wanted on.

        The first message comes whatever its size. Raise PositionLostError for an offset that is gone.
        """

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Note the group's next offsets."""

    def close(self) -> None:
        """Leave the group and let go."""


def check_held(partition: Partition, offset: int, bounds: Bounds) -> None:
    """Raise PositionLostError unless `offset` can be read next: it is held, or it is the end."""
    if not bounds.earliest <= offset <= bounds.end:
        raise PositionLostError(partition.topic, partition.number, offset, bounds.earliest, bounds.end)


def check_assigned(partitions: Sequence[Partition], assignment: Collection[Partition]) -> None:
    """Raise UsageError unless the group gave all of these to the consumer."""
    for partition in partitions:
        if partition not in assignment:
            raise UsageError(
                f"Partition {partition.topic}/{partition.number} is not assigned to this consumer.",
                hint="Look at `assignment` after every poll.",
            )


class GroupConsumer:
    """Read the partitions that the group gave to this member (see schemas.protocols.Consumer).

    Every change of the group or of its topics is a new generation, in which all partitions are newly
    assigned: each delivers nothing until it is sought again, and none is paused. For a moment two members
    may hold one partition, until the older one polls: the positions in the tables settle who landed what.
    """

    def __init__(self, log: MemberLog, *, clock: Callable[[], float], session_timeout: float) -> None:
        self._log = log
        self._clock = clock
        self._beat_every = session_timeout / _BEATS_PER_SESSION
        self._beaten = clock()
        self._assignment: frozenset[Partition] = frozenset()
        self._generation = 0
        self._positions: dict[Partition, int] = {}  # what was sought; the first is read first
        self._paused: set[Partition] = set()
        self._closed = False

    @property
    def assignment(self) -> frozenset[Partition]:
        """The partitions of this member as of the last `poll`."""
        return self._assignment

    @property
    def generation(self) -> int:
        """The group's epoch as of the last `poll`; 0 before the first."""
        return self._generation

    @property
    def positions(self) -> Mapping[Partition, int]:
        """The next offset of each partition that was sought."""
        return dict(self._positions)

    def poll(self, max_messages: int, max_bytes: int, timeout: float) -> list[Message]:
        """Wait up to `timeout` seconds for messages; return [] at once where the assignment changed.

        `max_bytes` counts values. Raise PositionLostError where what comes next was trimmed away.
        """
        self._check_open()
        deadline = time.monotonic() + timeout
        while True:
            seen = self._log.version()
            if self._follow():
                return []
            messages = self._read(max_messages, max_bytes)
            left = deadline - time.monotonic()
            if messages or left <= 0:
                return messages
            self._log.wait(seen, min(left, self._beat_every))

    def seek(self, partition: Partition, offset: int) -> None:
        """Deliver from `offset` on; raise PositionLostError where the stream no longer has it."""
        self._check_assigned([partition])
        check_held(partition, offset, self._log.bounds(partition))
        self._positions[partition] = offset

    def pause(self, partitions: Sequence[Partition]) -> None:
        """Deliver nothing of these until `resume`, or until the next generation."""
        self._check_assigned(partitions)
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[Partition]) -> None:
        """Deliver these again from where they were."""
        self._check_assigned(partitions)
        self._paused.difference_update(partitions)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group the next offset of each partition, for the display of lag only."""
        self._check_open()
        self._log.commit(offsets)

    def close(self) -> None:
        """Leave the group at once. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._log.close()

    def _follow(self) -> bool:
        """Keep membership; say whether the group has changed since the last time."""
        now = self._clock()
        changed = self._log.epoch() != self._generation
        # A clock that was set back counts too, or nobody would beat until it has caught up.
        if changed or abs(now - self._beaten) >= self._beat_every:
            self._log.beat(now)
            self._beaten = now
            changed = self._log.epoch() != self._generation
        if changed:
            self._generation, self._assignment = self._log.standing()
            self._positions.clear()
            self._paused.clear()
        return changed

    def _read(self, max_messages: int, max_bytes: int) -> list[Message]:
        wanted = [item for item in self._positions.items() if item[0] not in self._paused]
        if not wanted:
            return []
        messages: list[Message] = []
        for run in self._log.read(wanted, max_messages, max_bytes):
            last = run[-1]
            partition = Partition(last.topic, last.partition)
            del self._positions[partition]  # to the end: another partition is read first next time
            self._positions[partition] = last.offset + 1
            messages += run
        return messages

    def _check_open(self) -> None:
        if self._closed:
            raise StreamError("The consumer is closed.")

    def _check_assigned(self, partitions: Sequence[Partition]) -> None:
        self._check_open()
        check_assigned(partitions, self._assignment)
