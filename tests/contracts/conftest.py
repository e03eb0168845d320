"""The streams that the contract is for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ingest.streams import EmbeddedStream, MemoryStream
from ingest.streams.kafka import KafkaStream
from ingest.streams.kafka.options import parse_options
from schemas.errors import NotFoundError
from tests.contracts.bench import Bench

_SESSION = "session.timeout.ms=6000"
KAFKA = {
    "kafka-confluent": f"client=confluent&{_SESSION}",
    "kafka-confluent-consumer": "client=confluent&group.protocol=consumer",
    "kafka-python": f"client=python&{_SESSION}",
}
_TOPICS = ("t", "u", "there", "other")


@pytest.fixture(params=["embedded", "memory", *KAFKA])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param in KAFKA:
        cluster = request.getfixturevalue("kafka_cluster")
        options = parse_options(KAFKA[request.param], {})
        bench = Bench(KafkaStream(cluster.servers, options), moment=0.4)
    elif request.param == "embedded":
        bench = Bench(EmbeddedStream(tmp_path))
    else:
        bench = Bench(MemoryStream())
    with bench.stream:
        yield bench
        bench.close()
    if isinstance(bench.stream, KafkaStream):
        with KafkaStream(cluster.servers) as stream:
            for topic in _TOPICS:
                with suppress(NotFoundError):
                    stream.delete_topic(topic)
