"""A worker that runs goes on by a spec that has grown meanwhile."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import pytest

from ingest import IngestReport
from lake import Lake
from replaylake.flows.ingest import ingest_follow, ingest_once
from schemas.spaces import Text
from tests.ingest.samples import SPEC, make_archive, make_stream, send, step

WAIT = 60  # seconds until a test gives up on an event
GROWN = SPEC.model_copy(update={"extras": {"shop": Text()}})


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.worker.gate_watch._EVERY", 0.0)


def test_a_running_worker_takes_a_grown_spec(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    lake = Lake(tmp_path / "lake")
    stream, topic = make_stream(tmp_path)
    landings: queue.Queue[int] = queue.Queue()
    stop = threading.Event()

    def follow() -> IngestReport:
        return ingest_follow(
            lake, stream=stream, stop=stop, on_progress=lambda report: landings.put(report.accepted)
        )

    with stream:
        running = threading.Thread(target=follow)
        running.start()
        try:
            send(stream, topic, step(0))
            assert landings.get(timeout=WAIT) == 1
            archive.evolve(GROWN)
            sent = 1
            while lake.sql("select count(shop) from demo.steps").rows() == [(0,)]:
                assert sent < 1_000
                send(stream, topic, step(sent, shop="x"))
                sent += 1
                while landings.get(timeout=WAIT) < sent:
                    continue
        finally:
            stop.set()
            running.join(WAIT)
            assert not running.is_alive()
    found = lake.sql("select count(*), count(distinct step), min(shop) from demo.steps").rows()
    assert found == [(sent, sent, "x")]


def test_a_run_to_the_end_takes_a_grown_spec(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    send(stream, topic, *(step(number, shop="x") for number in range(5)))
    with stream:
        archive.evolve(GROWN)
        assert ingest_once(Lake(tmp_path / "lake"), stream=stream).accepted == 5
    assert Lake(tmp_path / "lake").sql("select count(shop) from demo.steps").rows() == [(5,)]
