"""JSON messages of one step from a real Kafka: the worker beside a bare loop of the same libraries."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from ingest.streams.kafka import KafkaStream

from .cartpole_steps import SPEC
from .harness import Benchmark
from .ingest_contest import COMMIT_ROWS, IngestContest
from .ingest_json import json_messages, parsed
from .kafka_topic import PARTITIONS, fill_topic, running_kafka

_ROWS = 1_500_000
_AT_ONCE = 50_000  # messages


@contextmanager
def _prepare(folder: Path) -> Iterator[IngestContest]:
    with running_kafka(folder) as servers:
        fill_topic(servers, _ROWS, json_messages)
        yield IngestContest(folder, _ROWS, lambda: _bare(servers), lambda: KafkaStream(servers))


def _bare(servers: str) -> Iterator[pa.Table]:
    """Read the topic and parse it, a table for each commit: what is left out is everything else."""
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": uuid.uuid4().hex, "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(SPEC.topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])
    taken, lines = 0, []
    while taken < _ROWS:
        values = [
            message.value() or b"" for message in consumer.consume(_AT_ONCE, 1.0) if not message.error()
        ]
        taken += len(values)
        lines.extend(values)
        if len(lines) >= COMMIT_ROWS or taken == _ROWS:
            yield parsed(b"\n".join(lines))
            lines = []
    consumer.close()


BENCHMARK = Benchmark(
    name="ingest-kafka-json",
    title="Worker: JSON messages of one step from Kafka to committed rows",
    other_name="bare confluent-kafka, pyarrow.json and write_deltalake",
    unit="steps/s",
    goal=0.6,
    better="higher",
    prepare=_prepare,
)
