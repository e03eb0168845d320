"""The stream in Apache Kafka (see schemas.protocols.Stream)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic, sleep
from typing import Any, Self
from uuid import UUID

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    KafkaTimeoutError,
    RetriableError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.protocol.consumer import IsolationLevel

from ingest.streams.kafka.connecting import connecting
from ingest.streams.kafka.consumer import KafkaConsumer
from ingest.streams.kafka.failures import translated
from ingest.streams.kafka.options import KafkaOptions
from ingest.streams.kafka.producer import KafkaProducer
from schemas.errors import NotFoundError, StreamError, UsageError
from schemas.protocols import Bounds, Partition, Topic
from schemas.times import epoch_ms

_AGAIN = 0.1  # seconds until a broker that is not ready is asked again
_OWN_TIME = {"message.timestamp.type": "LogAppendTime"}  # so that no producer's clock is believed


class KafkaStream:
    """Hold topics in Apache Kafka. Threads may share it; it connects when it is first used.

    Consumers see committed transactions only. Every method raises StreamError where no broker answers in
    the time of the options, or where one refuses.
    """

    def __init__(self, servers: str, options: KafkaOptions | None = None) -> None:
        self._servers = servers
        self._options = options or KafkaOptions()
        self._lock = threading.Lock()
        self._client: KafkaAdminClient | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"KafkaStream({self._servers!r})"

    def create_topic(self, name: str, partitions: int = 4) -> Topic:
        """Make the topic, or return the one that is there, however many partitions it has."""
        if partitions < 1:
            raise UsageError(f"A topic cannot have {partitions} partitions.", hint="Give 1 or more.")
        found = self._find(name)
        if found is not None:
            return found
        wanted = {
            name: {
                "num_partitions": partitions,
                "replication_factor": self._options.replication,
                "configs": _OWN_TIME,
            }
        }
        try:
            self._ask(lambda admin: admin.create_topics(wanted, wait_for_metadata=True))
        except StreamError as exc:
            if not isinstance(exc.__cause__, TopicAlreadyExistsError):  # another was faster
                raise
        return self.topic(name)

    def topic(self, name: str) -> Topic:
        """Describe a topic; raise NotFoundError where there is none."""
        found = self._find(name)
        if found is None:
            known = [
                topic for topic in self._ask(lambda admin: admin.list_topics()) if not topic.startswith("__")
            ]
            raise NotFoundError("topic", name, known=known)
        return found

    def delete_topic(self, name: str) -> None:
        """Delete a topic with its messages; raise NotFoundError where there is none."""
        self.topic(name)
        self._ask(lambda admin: admin.delete_topics([name]))

    def bounds(self, partition: Partition) -> Bounds:
        """Say which offsets the partition still holds; open transactions are not held yet."""
        self._check(partition)
        return Bounds(
            self._offset(partition, OffsetSpec.EARLIEST), self._offset(partition, OffsetSpec.LATEST)
        )

    def offset_at(self, partition: Partition, time: datetime) -> int:
        """Return the first offset whose message is of that time or later; the end where there is none."""
        self._check(partition)
        found = self._offset(partition, epoch_ms(time))
        return found if found >= 0 else self._offset(partition, OffsetSpec.LATEST)

    def trim(self, partition: Partition, before: int) -> Bounds:
        """Delete the messages below offset `before`; return what is still held."""
        held = self.bounds(partition)
        if before > held.earliest:
            where = {TopicPartition(*partition): min(before, held.end)}
            self._ask(lambda admin: admin.delete_records(where))
        return self.bounds(partition)

    def committed(self, group: str, partition: Partition) -> int | None:
        """Return the next offset that the group last told, or None."""
        where = TopicPartition(*partition)
        told = self._ask(lambda admin: admin.list_group_offsets({group: [where]}))
        offset = told.get(group, {}).get(where)
        return None if offset is None or offset.offset < 0 else int(offset.offset)

    def producer(self) -> KafkaProducer:
        """Open a producer."""
        return KafkaProducer(self._servers, self._options, self.topic)

    def consumer(self, topics: Sequence[str], group: str) -> KafkaConsumer:
        """Join a group that shares out the partitions of these topics; raise NotFoundError without one."""
        if not topics:
            raise UsageError("A consumer needs a topic.", hint="Name one.")
        for name in topics:
            self.topic(name)
        return KafkaConsumer(self._servers, self._options, topics, group, self.bounds)

    def close(self) -> None:
        """Let go of the connection. Closing twice is harmless."""
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, question: Callable[[KafkaAdminClient], Any]) -> Any:
        with self._lock, translated(self._servers):
            if self._closed:
                raise StreamError("The stream is closed.")
            if self._client is None:
                with connecting(self._servers, self._options):
                    self._client = KafkaAdminClient(
                        bootstrap_servers=self._servers.split(","), **self._options.for_kafka_python()
                    )
            return self._answered(question, self._client)

    def _answered(self, question: Callable[[KafkaAdminClient], Any], client: KafkaAdminClient) -> Any:
        """Ask again while a broker is not ready: kafka-python does so for some questions only."""
        deadline = monotonic() + self._options.timeout
        while True:
            try:
                return question(client)
            except KafkaTimeoutError:
                raise
            except RetriableError:
                if monotonic() > deadline:
                    raise
                sleep(_AGAIN)

    def _find(self, name: str) -> Topic | None:
        (found,) = self._ask(lambda admin: admin.describe_topics([name]))
        if found["error_code"]:
            problem = for_code(found["error_code"])
            if problem is UnknownTopicOrPartitionError:
                return None
            with translated(self._servers):
                raise problem(name)
        return Topic(name, str(UUID(str(found["topic_id"]))), len(found["partitions"]))

    def _check(self, partition: Partition) -> None:
        count = self.topic(partition.topic).partitions
        if not 0 <= partition.number < count:
            raise NotFoundError(
                "partition", f"{partition.topic}/{partition.number}", hint=f"The topic has {count}."
            )

    def _offset(self, partition: Partition, spec: Any) -> int:
        where = TopicPartition(*partition)
        found = self._ask(
            lambda admin: admin.list_partition_offsets({where: spec}, IsolationLevel.READ_COMMITTED)
        )
        return int(found[where].offset)
