"""Look ahead: poll and examine the next messages in two threads while the worker takes the ones before.

Polling is Python and the stream's own work, examining is mostly Arrow's and Polars': side by side they keep
two cores busy. Batches come out in the order of the stream. The consumer lives in one thread, as it must.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from ingest.worker.judging import Examined
from schemas.errors import UsageError
from schemas.protocols import Consumer, Message, Partition

_LOG = logging.getLogger("replaylake.ingest")
_TOPIC = itemgetter(Message._fields.index("topic"))
_Place = tuple[int, frozenset[Partition], Mapping[Partition, int]]  # generation, assignment, positions
_DEPTH = 2  # batches ahead: one being polled, one being examined


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """Say how much is taken from the stream at once: what is polled is decoded and judged together."""

    messages: int = 50_000
    size: int = 12 << 20
    wait: float = 0.2  # seconds

    def __post_init__(self) -> None:
        if self.messages < 1 or self.size < 1 or self.wait <= 0:
            raise UsageError(f"The poll policy {self} has a limit that is not positive.")


@dataclass(frozen=True, slots=True, eq=False)
class Polled:
    """Hold what one poll brought, and the assignment as of then."""

    generation: int
    assignment: frozenset[Partition]
    positions: Mapping[Partition, int]  # the next offset of each
    parts: tuple[tuple[str, Examined], ...]  # by topic, in order


class Lookahead:
    """Drive a consumer ahead of its reader."""

    def __init__(
        self,
        topics: Sequence[str],
        open_consumer: Callable[[], Consumer],
        policy: PollPolicy,
        examine: Callable[[str, Sequence[Message]], Examined],
    ) -> None:
        self._topics = list(topics)
        self._policy = policy
        self._examine = examine
        self._polling = ThreadPoolExecutor(1, thread_name_prefix="replaylake-poll")
        self._examining = ThreadPoolExecutor(1, thread_name_prefix="replaylake-examine")
        self._ahead: deque[Future[Polled]] = deque()
        self._consumer = self._polling.submit(open_consumer).result()

    def next(self) -> Polled:
        """Return the next batch, empty where nothing came in time; raise what the stream raised."""
        if not self._ahead:
            self._send(self._policy.wait)
        polled = self._ahead.popleft().result()
        while polled.parts and len(self._ahead) < _DEPTH:  # where something came, more is likely to be
            self._send(wait=0.0)
        return polled

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        """Drop what was polled ahead, and go on from these offsets: those of the whole assignment.

        Polling ahead may have lost some of it already: of that the next batch tells.
        """
        self._drop()
        self._polling.submit(self._seek, offsets).result()

    def keep_membership(self) -> None:
        """Poll for nothing but the group's sake, while the worker cannot take more: call it now and then."""
        self._polling.submit(self._poll_nothing).result()

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group its next offsets, in time: it is advisory, and nobody waits for it."""
        self._polling.submit(self._consumer.commit, offsets).add_done_callback(_note_failure)

    def close(self) -> None:
        """Leave the group, and end the threads."""
        try:
            self._drop()
            self._polling.submit(self._consumer.close).result()
        finally:
            self._polling.shutdown()
            self._examining.shutdown()

    def _send(self, wait: float) -> None:
        coming = self._polling.submit(self._poll, wait)
        self._ahead.append(self._examining.submit(lambda: self._examined(*coming.result())))

    def _poll(self, wait: float) -> tuple[list[Message], _Place]:
        consumer = self._consumer
        messages = consumer.poll(self._policy.messages, self._policy.size, wait)
        return messages, (consumer.generation, consumer.assignment, consumer.positions)

    def _seek(self, offsets: Mapping[Partition, int]) -> None:
        assigned = self._consumer.assignment
        for partition, offset in offsets.items():
            if partition in assigned:
                self._consumer.seek(partition, offset)

    def _poll_nothing(self) -> None:
        held = list(self._consumer.assignment)
        self._consumer.pause(held)
        self._consumer.poll(1, 1, 0.0)
        self._consumer.resume([partition for partition in held if partition in self._consumer.assignment])

    def _examined(self, messages: list[Message], place: _Place) -> Polled:
        parts = tuple((topic, self._examine(topic, run)) for topic, run in self._by_topic(messages))
        return Polled(*place, parts)

    def _by_topic(self, messages: Sequence[Message]) -> Iterator[tuple[str, Sequence[Message]]]:
        if messages and len(self._topics) == 1:
            yield self._topics[0], messages
            return
        for topic, run in groupby(messages, key=_TOPIC):
            yield topic, list(run)

    def _drop(self) -> None:
        while self._ahead:
            self._ahead.popleft().exception()  # waits; what it raised comes again if it is still so


def _note_failure(done: Future[None]) -> None:
    problem = done.exception()
    if problem is not None:
        _LOG.warning("the group was not told its offsets, which is harmless: %s", problem)
