"""Look ahead: poll and examine the next messages in two threads while the worker takes the ones before.

Polling is Python and the stream's own work, examining is mostly Arrow's and Polars': side by side they keep
two cores busy. Batches come out in the order of the stream. The consumer lives in one thread, as it must.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from ingest.judging import Examined
from schemas.errors import UsageError
from schemas.protocols import Consumer, Message, Partition

_LOG = logging.getLogger("replaylake.ingest")
_TOPIC = itemgetter(Message._fields.index("topic"))
_VALUE = itemgetter(Message._fields.index("value"))
_EXAMINERS = 2  # threads: examining is pure, and may go on side by side
_DEPTH = _EXAMINERS + 1  # batches ahead: one being polled, the others being examined


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
    parts: tuple[tuple[str, Examined], ...]  # by topic, in order
    is_full: bool  # more is likely to be there


class Lookahead:
    """Drive a consumer ahead of its reader."""

    def __init__(
        self,
        open_consumer: Callable[[], Consumer],
        policy: PollPolicy,
        examine: Callable[[str, Sequence[Message]], Examined],
    ) -> None:
        self._policy = policy
        self._examine = examine
        self._polling = ThreadPoolExecutor(1, thread_name_prefix="replaylake-poll")
        self._examining = ThreadPoolExecutor(_EXAMINERS, thread_name_prefix="replaylake-examine")
        self._ahead: deque[Future[Polled]] = deque()
        self._consumer = self._polling.submit(open_consumer).result()

    def next(self) -> Polled:
        """Return the next batch, empty where nothing came in time; raise what the stream raised."""
        if not self._ahead:
            self._send()
        polled = self._ahead.popleft().result()
        while polled.is_full and len(self._ahead) < _DEPTH:
            self._send()
        return polled

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        """Drop what was polled ahead, and go on from these offsets: those of the whole assignment."""
        self._drop()
        for partition, offset in offsets.items():
            self._polling.submit(self._consumer.seek, partition, offset).result()

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

    def _send(self) -> None:
        coming = self._polling.submit(self._poll)
        self._ahead.append(self._examining.submit(lambda: self._examined(*coming.result())))

    def _poll(self) -> tuple[list[Message], int, frozenset[Partition]]:
        policy = self._policy
        messages = self._consumer.poll(policy.messages, policy.size, policy.wait)
        return messages, self._consumer.generation, self._consumer.assignment

    def _examined(self, messages: list[Message], generation: int, assignment: frozenset[Partition]) -> Polled:
        size = sum(map(len, map(_VALUE, messages)))
        is_full = len(messages) >= self._policy.messages or size >= self._policy.size // 2
        parts = tuple((topic, self._examine(topic, run)) for topic, run in _by_topic(messages))
        return Polled(generation, assignment, parts, is_full)

    def _drop(self) -> None:
        while self._ahead:
            self._ahead.popleft().exception()  # waits; what it raised comes again if it is still so


def _by_topic(messages: Sequence[Message]) -> list[tuple[str, Sequence[Message]]]:
    if len(set(map(_TOPIC, messages))) == 1:
        return [(messages[0].topic, messages)]
    return [(topic, list(run)) for topic, run in groupby(messages, key=_TOPIC)]


def _note_failure(done: Future[None]) -> None:
    problem = done.exception()
    if problem is not None:
        _LOG.warning("the group was not told its offsets, which is harmless: %s", problem)
