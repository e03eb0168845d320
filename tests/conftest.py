"""What all tests share: one Kafka broker, started by the first that needs it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.kafka.cluster import Cluster
from tests.brokers import running_cluster


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from running_cluster(tmp_path_factory.mktemp("kafka"))
