"""The fast client: librdkafka, by confluent-kafka. It speaks both group protocols."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from ingest.streams.kafka.options import KafkaOptions
from schemas.errors import PositionLostError, StreamError
from schemas.protocols import Headers, Message, Partition

_LOG = logging.getLogger("replaylake.kafka")
_GATHER = 0.02  # seconds: many small batches cost more than the wait for a large one
_PATIENCE = 10.0  # seconds until a partition that was assigned can be sought


class ConfluentClient:
    """Fetch with librdkafka (see consumer.KafkaClient)."""

    def __init__(self, servers: str, options: KafkaOptions, topics: Sequence[str], group: str) -> None:
        self.owned: frozenset[Partition] = frozenset()
        self.changes = 0
        self._servers = servers
        self._paused: set[Partition] = set()  # librdkafka keeps it also of what it took away meanwhile
        self._started: set[Partition] = set()
        self._ends: dict[Partition, int] = {}
        self._waiting: list[Any] = []  # came while a seek had to wait
        self._incremental = options.group_protocol == "consumer"
        self._said = ""
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "error_cb": self._note,
                **options.for_confluent(),
            },
            logger=_LOG,
        )
        self._consumer.subscribe(
            list(topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )

    def fetch(self, most: int, timeout: float) -> list[Message]:
        """Wait for one message, and gather more for a moment: `consume` alone would wait for all."""
        fetched, self._waiting = self._waiting, []
        if not fetched:
            first = self._consumer.poll(timeout)
            if first is None:
                return []
            fetched = [first]
        if most > len(fetched):
            fetched += self._consumer.consume(most - len(fetched), _GATHER)
        if self._started != self.owned:  # else nothing can have come that was not asked for
            fetched = [one for one in fetched if self._was_asked_for(one)]
        return _messages(one for one in fetched if one.error() is None or self._is_message(one))

    def passed(self) -> Mapping[Partition, int]:
        """Return where the stream ended when it was fetched to its end."""
        return self._ends

    def start(self, partition: Partition, offset: int) -> None:
        """Seek, as soon as librdkafka has begun with the partition, and go on."""
        where = TopicPartition(*partition, offset)
        deadline = time.monotonic() + _PATIENCE
        while partition in self.owned:  # else it was taken away meanwhile, which the next poll tells
            try:
                self._consumer.seek(where)
                break
            except KafkaException as exc:
                if time.monotonic() > deadline:
                    raise StreamError(f"Kafka at {self._servers} does not let us seek: {exc}.") from exc
            came = self._consumer.poll(0.02)
            if came is not None:
                self._waiting.append(came)
        # What came of it meanwhile is from before the seek; librdkafka itself drops what it still holds.
        self._waiting = [one for one in self._waiting if (one.topic(), one.partition()) != partition]
        self._ends.pop(partition, None)
        self._started.add(partition)
        if partition in self._paused:
            self._paused.discard(partition)
            self._consumer.resume([where])

    def hold(self, partitions: Sequence[Partition]) -> None:
        """Pause."""
        mine = [TopicPartition(*partition) for partition in partitions if partition in self.owned]
        if mine:
            self._consumer.pause(mine)
            self._paused.update(partitions)
        for partition in partitions:
            self._ends.pop(partition, None)
            self._started.discard(partition)

    def forget(self) -> None:
        """Drop what comes, until it is sought again."""
        self._started.clear()
        self._ends.clear()

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Send the offsets, and wait for no answer."""
        try:
            self._consumer.commit(
                offsets=[TopicPartition(*partition, offset) for partition, offset in offsets.items()],
                asynchronous=True,
            )
        except KafkaException as exc:
            raise StreamError(f"Kafka at {self._servers} did not take the group's offsets: {exc}.") from exc

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Not paused: librdkafka then looks at it again after a second only. It begins at its end, and what
        # comes before it is sought is dropped.
        for partition in partitions:
            partition.offset = OFFSET_END
        if self._incremental:
            consumer.incremental_assign(partitions)
            self.owned |= _named(partitions)
        else:
            consumer.assign(partitions)
            self.owned = _named(partitions)
        self._changed()

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._incremental:
            consumer.incremental_unassign(partitions)
        else:
            consumer.unassign()
        self.owned -= _named(partitions)
        self._changed()

    def _changed(self) -> None:
        self.changes += 1
        self._ends.clear()
        self._started.clear()
        self._waiting.clear()

    def _was_asked_for(self, fetched: Any) -> bool:
        return fetched.topic() is None or Partition(fetched.topic(), fetched.partition()) in self._started

    def _is_message(self, news: Any) -> bool:
        """Look at what is no message but news: False, or raise where it says that we cannot go on."""
        error: KafkaError = news.error()
        place = Partition(news.topic() or "", news.partition())
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the library's own name for it
            self._ends[place] = news.offset()
        elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):  # noqa: SLF001
            earliest, end = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=_PATIENCE)
            raise PositionLostError(*place, news.offset(), earliest, end)
        elif error.fatal():
            raise StreamError(f"Kafka at {self._servers} failed: {error.str()}.")
        else:
            self._note(error)
        return False

    def _note(self, error: KafkaError) -> None:
        """Log what librdkafka tells and goes on from, once in a row."""
        if error.str() != self._said:
            self._said = error.str()
            _LOG.warning("Kafka at %s: %s", self._servers, error.str())


def _messages(fetched: Iterable[Any]) -> list[Message]:
    """Convert what librdkafka brought, in one loop: with small messages it is half of the work of reading."""
    new = tuple.__new__  # what `Message` does, without its Python
    return [
        new(
            Message,
            (
                one.topic(),
                one.partition(),
                one.offset(),
                one.timestamp()[1],
                one.key(),
                one.value() or b"",
                () if (headers := one.headers()) is None else _headers(headers),
            ),
        )
        for one in fetched
    ]


def _headers(headers: Iterable[tuple[str, bytes | None]]) -> Headers:
    return tuple((name, content or b"") for name, content in headers)


def _named(partitions: Sequence[TopicPartition]) -> frozenset[Partition]:
    return frozenset(Partition(partition.topic, partition.partition) for partition in partitions)
