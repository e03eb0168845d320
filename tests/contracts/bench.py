"""A stream on the bench, and what its tests need besides."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ingest.streams import EmbeddedStream, MemoryStream
from ingest.streams.kafka import KafkaStream
from schemas.protocols import Consumer, Message, Partition

PATIENCE = 30.0
MANY = 1_000_000


@dataclass
class Bench:
    """Drive one stream; `moment` is how long a poll must wait to see what was there before it."""

    stream: EmbeddedStream | MemoryStream | KafkaStream
    moment: float = 0.0
    consumers: list[tuple[Consumer, tuple[str, ...]]] = field(default_factory=list)

    def send(self, *values: bytes, topic: str = "t", key: bytes | None = None, partition: int = 0) -> None:
        """Publish durably."""
        producer = self.stream.producer()
        for value in values:
            producer.send(topic, value, key=key, partition=None if key else partition)
        producer.close()

    def join(self, *topics: str, group: str = "g") -> Consumer:
        """Join a group."""
        wanted = topics or ("t",)
        consumer = self.stream.consumer(wanted, group)
        self.consumers.append((consumer, wanted))
        return consumer

    def reader(self, *topics: str, group: str = "g") -> Consumer:
        """Join alone, and start everything at the earliest."""
        consumer = self.join(*topics, group=group)
        self.settle(consumer)
        self.start(consumer)
        return consumer

    def settle(self, *consumers: Consumer) -> None:
        """Poll until the members have shared out the partitions of their topics, each some."""
        deadline = time.monotonic() + PATIENCE
        wanted = frozenset.union(*(self._partitions(consumer) for consumer in consumers))
        quiet = 0
        while quiet < 2:
            shares = [consumer.assignment for consumer in consumers]
            assert time.monotonic() < deadline, f"not settled: {shares} of {wanted}"
            before = [consumer.generation for consumer in consumers]
            assert self._polled(consumers) == []
            settled = frozenset.union(*shares) == wanted and sum(map(len, shares)) == len(wanted)
            same = before == [consumer.generation for consumer in consumers]
            quiet = quiet + 1 if settled and same and all(shares) else 0

    def _polled(self, consumers: Sequence[Consumer]) -> list[Message]:
        """Poll the members, side by side where they talk to a server that waits for all of them."""
        if not self.moment:
            return [message for consumer in consumers for message in consumer.poll(MANY, MANY, 0)]
        with ThreadPoolExecutor(len(consumers)) as pool:
            polled = pool.map(lambda consumer: consumer.poll(MANY, MANY, self.moment), consumers)
            return [message for messages in polled for message in messages]

    def start(self, consumer: Consumer) -> None:
        """Seek the earliest of everything."""
        for partition in consumer.assignment:
            consumer.seek(partition, self.stream.bounds(partition).earliest)

    def poll(self, consumer: Consumer, messages: int = MANY, size: int = MANY) -> list[Message]:
        """Poll until something came, which is known to be there."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := consumer.poll(messages, size, self.moment):
                return found
        raise AssertionError("nothing came")

    def nothing_more(self, consumer: Consumer) -> bool:
        """Say whether a poll brings nothing."""
        return consumer.poll(MANY, MANY, self.moment) == []

    def take(self, consumer: Consumer, count: int) -> list[Message]:
        """Poll until `count` messages came, and see that none is after them."""
        messages: list[Message] = []
        while len(messages) < count:
            messages += self.poll(consumer)
        return messages + consumer.poll(MANY, MANY, self.moment)

    def close(self) -> None:
        """Close every consumer."""
        for consumer, _ in self.consumers:
            consumer.close()

    def _partitions(self, consumer: Consumer) -> frozenset[Partition]:
        (topics,) = [topics for known, topics in self.consumers if known is consumer]
        return frozenset(
            Partition(topic, number)
            for topic in topics
            for number in range(self.stream.topic(topic).partitions)
        )


def values(messages: list[Message]) -> list[bytes]:
    """Return what the messages hold."""
    return [message.value for message in messages]


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once it holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
