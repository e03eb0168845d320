"""A real Apache Kafka for the tests: one broker for all that only need some broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka.cluster import Cluster, fetch, free_port, missing_programs

QUICK_SESSIONS = {
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "200",
    "group.consumer.heartbeat.interval.ms": "500",
}


def require_kafka() -> None:
    """Skip the test, loudly, where this machine cannot run a broker."""
    if missing_programs():
        pytest.skip(f"NO REAL KAFKA HERE: {' and '.join(missing_programs())} not found")
    fetch()


def running_cluster(folder: Path, **settings: str) -> Iterator[Cluster]:
    """Run a cluster of one broker while the caller needs it."""
    require_kafka()
    cluster = Cluster(folder, free_port(), settings={**QUICK_SESSIONS, **settings})
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()
