"""What all tests share: a profile of property tests, and a Kafka broker that the first one starts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from deploy.kafka.cluster import Cluster
from tests.brokers import running_cluster

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("replaylake", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("replaylake")


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from running_cluster(tmp_path_factory.mktemp("kafka"))
