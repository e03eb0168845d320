"""Arrow messages from a real Kafka: the worker beside a bare write of the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.streams.kafka import KafkaStream
from schemas.wire import Form, headers_for

from .cartpole_steps import make_steps
from .harness import Benchmark
from .ingest_arrow import arrow_messages, with_date
from .ingest_contest import COMMIT_ROWS, IngestContest
from .kafka_topic import fill_topic, running_kafka

_ROWS = 4_000_000


@contextmanager
def _prepare(folder: Path) -> Iterator[IngestContest]:
    chunks = [with_date(make_steps(COMMIT_ROWS, first)) for first in range(0, _ROWS, COMMIT_ROWS)]
    with running_kafka(folder) as servers:
        fill_topic(servers, _ROWS, arrow_messages, headers_for(Form.ARROW))
        yield IngestContest(folder, _ROWS, lambda: chunks, lambda: KafkaStream(servers))


BENCHMARK = Benchmark(
    name="ingest-kafka-arrow",
    title="Worker: Arrow messages from Kafka to committed rows",
    other_name="bare write_deltalake of the same rows in memory",
    unit="steps/s",
    goal=0.6,
    better="higher",
    prepare=_prepare,
    enough=1_000_000,
)
