"""How long a step takes from `publish` until SQL finds it: 50,000 steps/s through a real Kafka."""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ingest import FlushPolicy, Publisher
from ingest.streams.kafka import KafkaStream
from lake import Lake
from replaylake import ingest_follow

from .cartpole_steps import SPEC, make_steps
from .harness import Benchmark
from .kafka_topic import running_kafka

_RATE = 50_000  # steps a second
_SECONDS = 15
_TICKS = 20  # a second: how often the actor publishes
_WARM = 3  # seconds that are not counted
_LIMIT = 2.0


class LatencyContest:
    """Publish at a steady rate, and look again and again how far the rows are that SQL sees."""

    def __init__(self, folder: Path, servers: str) -> None:
        self._folder = folder
        self._servers = servers

    def ours(self) -> float:
        """Return the 99th percentile over the steps, in seconds."""
        fresh = self._folder / uuid.uuid4().hex
        stop = threading.Event()
        with KafkaStream(self._servers) as stream:
            lake = Lake(fresh)
            lake.create(SPEC.name, spec=SPEC)
            stream.create_topic(SPEC.topic, 4)
            worker = threading.Thread(
                target=lambda: ingest_follow(lake, stream=stream, stop=stop, flush=FlushPolicy(seconds=1.0))
            )
            worker.start()
            try:
                return self._measured(lake, stream)
            finally:
                stop.set()
                worker.join()
                stream.delete_topic(SPEC.topic)
                shutil.rmtree(fresh, ignore_errors=True)

    def other(self) -> float:
        """Return the limit in seconds."""
        return _LIMIT

    def _measured(self, lake: Lake, stream: KafkaStream) -> float:
        ticks = _SECONDS * _TICKS
        tables = [make_steps(_RATE // _TICKS, tick * _RATE // _TICKS) for tick in range(ticks)]
        published = np.zeros(ticks)

        def publish() -> None:
            begun = time.monotonic()
            with Publisher(SPEC, stream, run="") as publisher:
                for tick, table in enumerate(tables):
                    time.sleep(max(0.0, begun + tick / _TICKS - time.monotonic()))
                    published[tick] = time.monotonic()
                    publisher.publish_table(table)

        actor = threading.Thread(target=publish)
        actor.start()
        seen = self._seen(lake, ticks * (_RATE // _TICKS))
        actor.join()
        # A tick is there when all rows up to it are: as they are counted, no other order flatters it.
        waits = [
            next(when for when, count in seen if count >= (tick + 1) * (_RATE // _TICKS)) - published[tick]
            for tick in range(_WARM * _TICKS, ticks)
        ]
        return float(np.percentile(waits, 99))

    def _seen(self, lake: Lake, total: int) -> list[tuple[float, int]]:
        """Return at which time SQL saw how many rows, until it saw all."""
        seen: list[tuple[float, int]] = []
        deadline = time.monotonic() + 10 * _SECONDS
        while not seen or seen[-1][1] < total:
            count = int(lake.sql(f"select count(*) from {SPEC.name}.steps").rows()[0][0])  # noqa: S608
            seen.append((time.monotonic(), count))
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {count} of {total} rows came")
            time.sleep(0.05)
        return seen


@contextmanager
def _prepare(folder: Path) -> Iterator[LatencyContest]:
    with running_kafka(folder) as servers:
        yield LatencyContest(folder, servers)


BENCHMARK = Benchmark(
    name="ingest-kafka-latency",
    title="From publish to queryable, 99th percentile at 50,000 steps/s, flush of 1 s",
    other_name="the limit",
    unit="s",
    goal=1.0,
    better="lower",
    prepare=_prepare,
)
