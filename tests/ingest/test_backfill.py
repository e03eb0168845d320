"""A backfill of a topic goes beside the workers that land it, and takes nothing from them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ingest import EmbeddedStream, FlushPolicy, MemoryStream
from lake import Lake
from replaylake import ingest_follow, ingest_once
from tests.contracts.bench import wait_until
from tests.ingest.samples import SPEC, landed, send, step


@pytest.mark.parametrize("kind", ["embedded", "memory"])
def test_a_backfill_beside_a_worker_that_follows(tmp_path: Path, kind: str) -> None:
    lake = Lake(tmp_path / "lake")
    old = lake.create(SPEC.name, spec=SPEC)
    stop = threading.Event()
    with EmbeddedStream(tmp_path / "s") if kind == "embedded" else MemoryStream() as stream:
        topic = stream.create_topic(SPEC.topic, 2)
        for partition in range(2):
            send(stream, topic, *(step(n, episode_id=f"p{partition}") for n in range(5)), partition=partition)
        following = threading.Thread(
            target=lambda: ingest_follow(
                lake, SPEC.name, stream=stream, stop=stop, flush=FlushPolicy(seconds=0.1)
            )
        )
        following.start()
        try:
            wait_until(lambda: landed(old).total() == 10)
            fresh = lake.create("fresh", spec=SPEC.model_copy(update={"name": "fresh"}))
            assert ingest_once(lake, "fresh", stream=stream, topic=SPEC.topic, start=2).accepted == 6
        finally:
            stop.set()
            following.join()
    assert landed(old).total() == 10
    assert landed(fresh).total() == 6
