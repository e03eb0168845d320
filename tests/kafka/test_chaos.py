"""The short form of the chaos test; the full one is `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.brokers import require_kafka
from tests.kafka.chaos import Chaos, Plan, chaos_cluster


@pytest.mark.timeout(280)
def test_workers_and_the_broker_die_and_freeze_and_every_event_is_there_once(tmp_path: Path) -> None:
    require_kafka()
    plan = Plan(60_000, ("workers_at_commit", "broker", "freeze", "workers_at_commit", "worker"), least=5)
    with chaos_cluster(tmp_path) as cluster:
        outcome = Chaos(tmp_path, cluster, plan).run()
    assert outcome.exactly_once, outcome
    assert outcome.blows.total() >= 5
