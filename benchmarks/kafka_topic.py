"""A broker of its own for a benchmark, and a topic that holds the benchmark's messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from ingest.streams.kafka import KafkaStream
from schemas.errors import UsageError
from schemas.protocols import Headers
from schemas.steps import Steps

from .cartpole_steps import SPEC, make_steps
from .ingest_contest import COMMIT_ROWS

PARTITIONS = 4


@contextmanager
def running_kafka(folder: Path) -> Iterator[str]:
    """Run a broker and give its address."""
    try:
        from deploy.kafka.cluster import Cluster, free_port
    except ImportError as exc:
        raise UsageError(
            "The benchmarks with Kafka start a broker, which the source tree knows how to.",
            hint="Run them in a clone: make bench ARGS=...",
        ) from exc
    cluster = Cluster(folder / "kafka", free_port())
    cluster.start()
    try:
        yield cluster.servers
    finally:
        cluster.stop()


def fill_topic(
    servers: str, rows: int, encode: Callable[[Steps], list[bytes]], headers: Headers = ()
) -> None:
    """Put rows on the archive's topic, spread over its partitions."""
    with KafkaStream(servers) as stream:
        stream.create_topic(SPEC.topic, PARTITIONS)
    producer = Producer(
        {"bootstrap.servers": servers, "linger.ms": 20, "queue.buffering.max.messages": 500_000}
    )
    sent: Any = list(headers) or None
    for first in range(0, rows, COMMIT_ROWS):
        for number, value in enumerate(
            encode(Steps(make_steps(min(COMMIT_ROWS, rows - first), first), SPEC))
        ):
            producer.produce(SPEC.topic, value, partition=number % PARTITIONS, headers=sent)
        producer.flush()
