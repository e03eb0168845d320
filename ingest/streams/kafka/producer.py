"""Write to Kafka with kafka-python: idempotent, acknowledged by all in-sync replicas, bounded."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import kafka
from kafka.errors import KafkaError

from ingest.streams.assignment import partition_for
from ingest.streams.kafka.connecting import connecting
from ingest.streams.kafka.failures import translated, translation
from ingest.streams.kafka.options import KafkaOptions
from schemas.errors import NotFoundError, StreamError
from schemas.protocols import Headers, Topic

_UNACKNOWLEDGED = 64 << 20  # bytes that may wait; beyond them `send` waits, for the client has no limit
_LARGEST = 512 << 20  # the broker says what is too large, not the client
_DELIVERY = 60_000  # ms until a message that no broker takes has failed


@dataclass(slots=True)
class _Sent:
    """Hold a message until the brokers have acknowledged it."""

    topic: str
    number: int
    value: bytes
    key: bytes | None
    headers: Headers
    future: Any = None


class KafkaProducer:
    """Append messages, from one thread (see schemas.protocols.Producer).

    Messages may be there before `flush`. What a flush could not deliver is kept, and sent again by the next
    one: then it may be there twice, and behind later ones.
    """

    def __init__(self, servers: str, options: KafkaOptions, describe: Callable[[str], Topic]) -> None:
        self._servers = servers
        self._describe = describe
        self._counts: dict[str, int] = {}
        self._turn = random.randrange(1 << 16)  # noqa: S311  many producers of one message each spread it, too
        self._sent: deque[_Sent] = deque()
        self._size = 0
        self._closed = False
        with connecting(servers, options):
            self._client = kafka.KafkaProducer(
                bootstrap_servers=servers.split(","),
                enable_idempotence=True,
                linger_ms=2,
                batch_size=1 << 18,
                max_request_size=_LARGEST,
                delivery_timeout_ms=_DELIVERY,
                max_block_ms=int(options.timeout * 1000),
                allow_auto_create_topics=False,
                metrics_enabled=False,
                **options.for_kafka_python(),
            )

    def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Hand a message to the client, waiting for others where too many bytes are unacknowledged."""
        if self._closed:
            raise StreamError("The producer is closed.")
        message = _Sent(topic, self._place(topic, key, partition), value, key, headers)
        if self._size + len(value) > _UNACKNOWLEDGED:  # before it is taken: what raises was not buffered
            self._acknowledge(_UNACKNOWLEDGED // 2)
        self._submit(message)
        self._sent.append(message)
        self._size += len(value)

    def flush(self) -> None:
        """Return once every message sent so far is durable; raise StreamError if one is not."""
        failed = [message for message in self._sent if message.future.failed()]
        for message in failed:
            self._submit(message)
        if self._sent:
            with translated(self._servers):
                self._client.flush()
            self._acknowledge(0)

    def close(self) -> None:
        """Flush and let go. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
        finally:
            self._client.close(timeout=1)

    def _place(self, topic: str, key: bytes | None, partition: int | None) -> int:
        if topic not in self._counts:
            self._counts[topic] = self._describe(topic).partitions
        count = self._counts[topic]
        if partition is not None and not 0 <= partition < count:
            raise NotFoundError("partition", f"{topic}/{partition}", hint=f"The topic has {count}.")
        if partition is not None:
            return partition
        if key is not None:
            return partition_for(key, count)
        self._turn += 1
        return self._turn % count

    def _submit(self, message: _Sent) -> None:
        with translated(self._servers):
            message.future = self._client.send(
                message.topic,
                value=message.value,
                key=message.key,
                headers=list(message.headers),
                partition=message.number,
            )
        if message.future.failed():  # as for one that is larger than the client takes
            raise translation(message.future.exception, self._servers) from message.future.exception

    def _acknowledge(self, most: int) -> None:
        """Let go of what is acknowledged, until at most so many bytes wait; raise for what has failed."""
        while self._sent and (self._size > most or self._sent[0].future.succeeded()):
            future = self._sent[0].future
            try:
                future.get(timeout=_DELIVERY / 1000 + 10)
            except KafkaError as exc:
                raise translation(exc, self._servers) from exc
            self._size -= len(self._sent.popleft().value)
