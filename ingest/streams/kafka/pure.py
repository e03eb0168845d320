"""The client that runs anywhere: kafka-python. It is slower, and speaks the classic group protocol only."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import kafka
from kafka import ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import AuthorizationError, KafkaError, OffsetOutOfRangeError, RetriableError

from ingest.streams.kafka.connecting import connecting
from ingest.streams.kafka.failures import translated, translation
from ingest.streams.kafka.options import KafkaOptions
from schemas.errors import PositionLostError
from schemas.protocols import Message, Partition

_ALL = 1 << 30  # records
_AT_ONCE = 16 << 20  # bytes of one fetch
_METADATA_MS = 10_000
_LOG = logging.getLogger("replaylake.kafka")


class PythonClient:
    """Fetch with kafka-python (see consumer.KafkaClient)."""

    def __init__(self, servers: str, options: KafkaOptions, topics: Sequence[str], group: str) -> None:
        self.owned: frozenset[Partition] = frozenset()
        self.changes = 0
        self._servers = servers
        with connecting(servers, options):
            self._consumer = kafka.KafkaConsumer(
                bootstrap_servers=servers.split(","),
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                partition_assignment_strategy=[RangePartitionAssignor],
                session_timeout_ms=options.session_timeout_ms,
                heartbeat_interval_ms=options.heartbeat_ms,
                max_partition_fetch_bytes=4 << 20,
                fetch_max_bytes=_AT_ONCE,
                allow_auto_create_topics=False,
                # A member that knew a topic too late gets none of it until it asks again: else in 5 min.
                metadata_max_age_ms=_METADATA_MS,
                metrics_enabled=False,
                **options.for_kafka_python(),
            )
            for topic in topics:
                # The assignor shares out what the client knows of, and it may have joined before it asks.
                self._consumer.partitions_for_topic(topic)
            self._consumer.subscribe(list(topics), listener=_Listener(self))

    def fetch(self, most: int, timeout: float) -> list[Message]:
        """Poll once, for all that came: what kafka-python 3.0 keeps back of a partition that is then paused
        is never delivered again.
        """
        try:
            fetched = self._consumer.poll(timeout_ms=int(timeout * 1000), max_records=_ALL)
        except OffsetOutOfRangeError as exc:
            raise self._position_lost(exc) from exc
        except RetriableError as exc:
            _LOG.warning("Kafka at %s: %s", self._servers, exc)
            return []
        except (AuthorizationError, KafkaError) as exc:
            raise translation(exc, self._servers) from exc
        return [
            Message(
                record.topic,
                record.partition,
                record.offset,
                record.timestamp,
                record.key,
                record.value or b"",
                tuple((name, content or b"") for name, content in record.headers),
            )
            for records in fetched.values()
            for record in records
        ]

    def passed(self) -> Mapping[Partition, int]:
        """Return the client's own positions, which markers of transactions move, too."""
        paused = self._consumer.paused()
        own = {Partition(*where): self._consumer.position(where) for where in _named(self.owned) - paused}
        return {partition: offset for partition, offset in own.items() if offset is not None}

    def start(self, partition: Partition, offset: int) -> None:
        """Seek, and go on."""
        self._consumer.seek(TopicPartition(*partition), offset)
        self._consumer.resume(TopicPartition(*partition))

    def hold(self, partitions: Sequence[Partition]) -> None:
        """Pause."""
        mine = [partition for partition in partitions if partition in self.owned]
        self._consumer.pause(*_named(mine))

    def forget(self) -> None:
        """Pause all."""
        self.hold(sorted(self.owned))

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the offsets, and wait for no answer."""
        told = {TopicPartition(*p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}
        with translated(self._servers):
            self._consumer.commit_async(told)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close(autocommit=False)

    def reassign(self, partitions: Sequence[TopicPartition]) -> None:
        """Take what the group gave; called by the listener, in the client's own thread."""
        for where in partitions:
            self._consumer.seek(where, 0)  # else it asks the group; nothing is fetched before `start`
        self._consumer.pause(*partitions)
        self.owned = frozenset(Partition(where.topic, where.partition) for where in partitions)
        self.changes += 1

    def _position_lost(self, exc: OffsetOutOfRangeError) -> PositionLostError:
        ((where, offset),) = list(exc.args[0].items())[:1]
        earliest = self._consumer.beginning_offsets([where])[where]
        end = self._consumer.end_offsets([where])[where]
        return PositionLostError(where.topic, where.partition, offset, earliest, end)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tell the client of rebalances; it runs in the heartbeat's loop, so it only notes them."""

    def __init__(self, client: PythonClient) -> None:
        self._client = client

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self._client.reassign(list(assigned))

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self._client.owned = frozenset()
        self._client.changes += 1

    def on_partitions_lost(self, lost: Sequence[TopicPartition]) -> None:
        self.on_partitions_revoked(lost)


def _named(partitions: Sequence[Partition] | frozenset[Partition]) -> set[TopicPartition]:
    return {TopicPartition(*partition) for partition in partitions}
