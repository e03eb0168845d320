"""From a real Kafka into the lake: what other tools send, transactions, and what goes wrong."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kafka
import pytest

from deploy.kafka.cluster import Cluster, free_port, run_tool
from ingest import open_stream
from ingest.streams.kafka import KafkaStream
from lake import Archive, Lake
from replaylake import Publisher, ingest_follow, ingest_once
from schemas.errors import NotFoundError, PositionLostError, StreamAwayError, StreamError
from schemas.protocols import Partition, Stream
from tests.contracts.bench import wait_until
from tests.contracts.conftest import KAFKA
from tests.ingest.samples import SPEC, landed, quarantined, send, step

TOPIC = SPEC.topic


@pytest.fixture(params=KAFKA)
def url(request: pytest.FixtureRequest, kafka_cluster: Cluster) -> str:
    return f"{kafka_cluster.url}?{KAFKA[request.param]}"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Lake(tmp_path / "lake").create(SPEC.name, spec=SPEC)


@pytest.fixture
def stream(kafka_cluster: Cluster) -> Iterator[KafkaStream]:
    with KafkaStream(kafka_cluster.servers) as opened:
        opened.create_topic(TOPIC, 2)
        yield opened
        opened.delete_topic(TOPIC)


def land(archive: Archive, stream: str | Stream) -> None:
    ingest_once(Lake(archive.folder.parent), stream=stream)


def reasons(archive: Archive) -> Counter[str]:
    sql = f"select unnest(reasons) from {SPEC.name}.quarantine"
    return Counter(reason for (reason,) in Lake(archive.folder.parent).sql(sql).rows())


def test_every_client_lands_what_was_published(stream: KafkaStream, archive: Archive, url: str) -> None:
    topic = stream.topic(TOPIC)
    send(stream, topic, *(step(number) for number in range(100)))
    send(stream, topic, *(step(number, episode_id="f") for number in range(100, 150)), partition=1)
    with Publisher(archive, stream=url, run="r") as publisher:
        publisher.publish_rows(step(number, episode_id="g") for number in range(200, 230))
    land(archive, url)
    assert landed(archive) == Counter([*map(float, range(150)), *map(float, range(200, 230))])
    land(archive, url)
    assert landed(archive).total() == 180


def test_transactions_that_were_aborted_are_not_there(
    stream: KafkaStream, archive: Archive, kafka_cluster: Cluster, url: str
) -> None:
    """The end of a transaction is an offset without a message: the worker passes it."""
    producer = kafka.KafkaProducer(
        bootstrap_servers=kafka_cluster.servers, transactional_id="t", metrics_enabled=False
    )
    producer.init_transactions()
    for number, commit in ((0, True), (1, False), (2, True), (3, False)):
        producer.begin_transaction()
        producer.send(TOPIC, json.dumps(step(number)).encode(), partition=0)
        producer.commit_transaction() if commit else producer.abort_transaction()
    producer.close()
    land(archive, url)  # ends, though nothing comes after the last marker
    assert landed(archive) == Counter([0.0, 2.0])
    send(stream, stream.topic(TOPIC), step(4))
    land(archive, url)
    assert landed(archive) == Counter([0.0, 2.0, 4.0])


def test_what_kafkas_own_tools_send_lands_or_is_quarantined(
    stream: KafkaStream, archive: Archive, kafka_cluster: Cluster, url: str
) -> None:
    lines = [json.dumps(step(number)) for number in range(5)] + ["hello", "", '{"half": ']
    run_tool(
        "org.apache.kafka.tools.ConsoleProducer",
        *("--bootstrap-server", kafka_cluster.servers, "--topic", TOPIC),
        stdin="\n".join(lines).encode() + b"\n",
    )
    said = run_tool(
        "org.apache.kafka.tools.ProducerPerformance",
        *("--topic", TOPIC, "--num-records", "500", "--record-size", "100", "--throughput", "-1"),
        *("--command-property", f"bootstrap.servers={kafka_cluster.servers}"),
    )
    assert "500 records sent" in said
    land(archive, url)
    assert landed(archive) == Counter(map(float, range(5)))
    assert reasons(archive) == Counter(undecodable=503)


def test_bad_input_is_kept_with_its_reason_and_the_flow_goes_on(
    stream: KafkaStream, archive: Archive, url: str
) -> None:
    bad: list[dict[str, Any] | bytes] = [
        b"\x00\xff garbage",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        step(1, observation=["NaN", 1.0]),
        step(2, event_time="1970-01-01T00:00:00Z"),
        step(3, event_time="2200-01-01T00:00:00Z"),
        step(4, reward="much"),
        step(5, action=[1, 2]),
        step(6, colour="red"),
    ]
    send(stream, stream.topic(TOPIC), step(0), *bad, step(7))
    land(archive, url)
    assert landed(archive) == Counter([0.0, 7.0])
    assert quarantined(archive).total() == len(bad)
    assert {"undecodable", "finite(observation)", "clock_skew"} <= set(reasons(archive))
    assert all(reason for reason in reasons(archive))


def test_a_message_of_50_mb(stream: KafkaStream, archive: Archive, kafka_cluster: Cluster, url: str) -> None:
    topic = stream.topic(TOPIC)
    huge = b'{"huge": "' + b"x" * (50 << 20) + b'"}'
    producer = stream.producer()
    producer.send(TOPIC, huge, partition=0)
    with pytest.raises(StreamError, match=r"size.*max\.message\.bytes|larger|MessageSizeTooLarge"):
        producer.flush()
    with pytest.raises(StreamError):
        producer.close()
    run_tool(
        "kafka.admin.ConfigCommand",
        *("--bootstrap-server", kafka_cluster.servers, "--alter", "--topic", TOPIC),
        *("--add-config", f"max.message.bytes={60 << 20}"),
    )
    send(stream, topic, step(0), huge, step(1))
    land(archive, url)
    assert landed(archive) == Counter([0.0, 1.0])
    assert quarantined(archive).total() == 1


def test_what_the_stream_has_lost_stops_the_worker_loudly(
    stream: KafkaStream, archive: Archive, url: str
) -> None:
    topic = stream.topic(TOPIC)
    send(stream, topic, *(step(number) for number in range(5)))
    land(archive, url)
    send(stream, topic, *(step(number) for number in range(5, 10)))
    stream.trim(Partition(TOPIC, 0), 8)
    with pytest.raises(PositionLostError, match="offsets 5 to 7 are gone"):
        land(archive, url)
    assert landed(archive).total() == 5


def test_a_missing_topic_is_named(kafka_cluster: Cluster, archive: Archive) -> None:
    with pytest.raises(NotFoundError, match="no topic 'nowhere'"):
        ingest_once(Lake(archive.folder.parent), SPEC.name, stream=kafka_cluster.url, topic="nowhere")


def test_a_broker_that_comes_later_is_waited_for(
    tmp_path: Path, archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = Cluster(tmp_path / "late", free_port())
    url = f"{cluster.url}?timeout=1&session.timeout.ms=6000"
    with pytest.raises(StreamAwayError, match="No broker answers"):
        land(archive, url)
    stop = threading.Event()
    following = threading.Thread(
        target=lambda: ingest_follow(
            Lake(archive.folder.parent), stream=url, stop=stop, on_progress=lambda _: stop.set()
        )
    )
    following.start()
    wait_until(lambda: "Trying again" in caplog.text)
    cluster.start()
    try:
        with open_stream(cluster.url, embedded_folder=None) as stream:
            send(stream, stream.create_topic(TOPIC, 1), step(0))
            following.join(60)
    finally:
        stop.set()
        following.join(60)
        cluster.stop()
    assert landed(archive) == Counter([0.0])
