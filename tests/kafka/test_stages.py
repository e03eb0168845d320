"""What comes before the archive's topic, over a real Kafka: foreign topics and the timeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import kafka
import pytest
import yaml

from deploy.kafka.cluster import Cluster
from ingest.mapping import RecordMapping
from ingest.streams.kafka import KafkaStream
from lake import Archive, Lake
from replaylake import ingest_once, publish_topic, timeline_once
from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete
from tests.contracts.conftest import KAFKA

SPEC = ArchiveSpec(name="shop", observation=Box(shape=(1,)), action=Discrete(n=2))
EVENTS = "events"
COLUMNS = """
columns:
  observation: {vector: [price]}
  action: shown
  reward: worth
  event_time: {field: at, time: epoch_s}
"""
PLAIN = (
    COLUMNS
    + """
  episode_id: user
  step: turn
  terminated: {const: false}
  truncated: {const: false}
"""
)
TIMELINE = (
    COLUMNS
    + """
  kind: {field: kind, type: string}
  user: {field: user, type: string}
timeline:
  session: user
  kind: kind
  steps: [view]
  ends: {values: [logout], terminated: true}
"""
)
PLAIN_MAPPING, TIMELINE_MAPPING = (yaml.safe_load(text) for text in (PLAIN, TIMELINE))
START = 1_780_000_000


@pytest.fixture(params=KAFKA)
def url(request: pytest.FixtureRequest, kafka_cluster: Cluster) -> str:
    return f"{kafka_cluster.url}?{KAFKA[request.param]}"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Lake(tmp_path / "lake").create(SPEC.name, spec=SPEC)


@pytest.fixture
def stream(kafka_cluster: Cluster) -> Iterator[KafkaStream]:
    with KafkaStream(kafka_cluster.servers) as opened:
        opened.create_topic(EVENTS, 2)
        opened.create_topic(SPEC.topic, 2)
        yield opened
        for topic in (EVENTS, SPEC.topic):
            opened.delete_topic(topic)


def send(cluster: Cluster, *events: tuple[str, int, dict[str, Any]]) -> None:
    """Send events in a transaction, whose end is an offset without a message."""
    producer = kafka.KafkaProducer(
        bootstrap_servers=cluster.servers, transactional_id="events", metrics_enabled=False
    )
    producer.init_transactions()
    producer.begin_transaction()
    for user, second, fields in events:
        record = {"user": user, "at": START + second, "worth": 1.0, **fields}
        producer.send(EVENTS, json.dumps(record).encode(), partition=len(user) % 2)
    producer.commit_transaction()
    producer.close()
    await_visible(cluster)


def await_visible(cluster: Cluster) -> None:
    """Wait until what was committed can be read: the broker ends transactions after it has said so."""
    partitions = [kafka.TopicPartition(EVENTS, number) for number in range(2)]
    ends = []
    with ExitStack() as stack:
        for level in ("read_committed", "read_uncommitted"):
            consumer = kafka.KafkaConsumer(
                bootstrap_servers=cluster.servers, isolation_level=level, metrics_enabled=False
            )
            stack.callback(consumer.close)
            ends.append(consumer.end_offsets)
        while ends[0](partitions) != ends[1](partitions):
            continue


def rows(archive: Archive, columns: str) -> list[tuple[object, ...]]:
    sql = f"select {columns} from shop.steps order by episode_id, step"
    return Lake(archive.folder.parent).sql(sql).rows()


def test_a_foreign_topic_goes_on_where_it_stood(
    stream: KafkaStream, archive: Archive, kafka_cluster: Cluster, url: str
) -> None:
    lake = Lake(archive.folder.parent)
    for turns in ((0, 1), (2, 3)):
        send(
            kafka_cluster,
            *(
                (user, turn, {"turn": turn, "price": float(turn), "shown": 1})
                for user in ("ann", "bo")
                for turn in turns
            ),
        )
        published = publish_topic(archive, EVENTS, mapping=PLAIN_MAPPING, stream=url)
        assert (published.records, published.refused) == (4, 0)
    assert publish_topic(archive, EVENTS, mapping=PLAIN_MAPPING, stream=url).records == 0
    publish_topic(archive, EVENTS, mapping=PLAIN_MAPPING, stream=url, again=True)
    report = ingest_once(lake, stream=url)
    assert (report.accepted, report.duplicates, report.quarantined) == (8, 8, 0)
    assert rows(archive, "episode_id, step") == [(user, turn) for user in ("ann", "bo") for turn in range(4)]


def test_the_timeline_over_a_topic(
    stream: KafkaStream, archive: Archive, kafka_cluster: Cluster, url: str
) -> None:
    mapping = RecordMapping.from_dict(TIMELINE_MAPPING)
    lake = Lake(archive.folder.parent)
    for first in (0, 2):
        send(
            kafka_cluster,
            *(
                (user, turn, {"kind": "view", "price": float(turn), "shown": turn % 2})
                for user in ("ann", "bo")
                for turn in (first, first + 1)
            ),
        )
        timeline_once(lake, SPEC.name, EVENTS, mapping, stream=url)
    send(kafka_cluster, *((user, 9, {"kind": "logout"}) for user in ("ann", "bo")))
    timeline_once(lake, SPEC.name, EVENTS, mapping, close=True, stream=url)
    ingest_once(lake, stream=url)
    found = rows(archive, "step, action, terminated")
    assert found == [(turn, turn % 2, turn == 3) for _ in ("ann", "bo") for turn in range(4)]
