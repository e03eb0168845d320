"""What all tests share: a profile of property tests, and the servers that the first who needs one starts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from deploy.kafka.cluster import Cluster
from deploy.s3.server import Server
from tests.brokers import running_cluster
from tests.object_store import S3Place, new_place, running_server

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("replaylake", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("replaylake")


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from running_cluster(tmp_path_factory.mktemp("kafka"))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from running_server(tmp_path_factory.mktemp("s3"))


@pytest.fixture
def s3_place(s3_server: Server) -> S3Place:
    """Return an empty place on the S3 server, where a lake may be."""
    return new_place(s3_server)
