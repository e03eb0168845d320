"""Chaos: workers and brokers that die and freeze at random moments, while publishers go on.

`python -m tests.kafka.chaos --steps 2000000` is the full form (`make chaos`); the tests run a short one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.kafka.cluster import Cluster
from ingest import open_stream
from lake import Archive, Lake
from replaylake import ingest_once
from tests.brokers import running_cluster
from tests.ingest.crash_steps import BROKEN_EVERY, EPISODE, SPEC, STRICT

_ROOT = Path(__file__).parents[2]
_SESSION = 3.0  # seconds after which the broker expels a member that says nothing
_PUBLISHERS = ("a", "b")
_WORKERS = 3
_PARTITIONS = 4


@dataclass
class Plan:
    """Say how much is to happen."""

    steps: int
    blows: tuple[str, ...]  # in this order, again and again: the methods below
    least: int  # blows before the end
    pause: float = 1.5  # seconds between two, on average
    options: str = ""  # of the stream, for the workers
    chance: random.Random = field(default_factory=lambda: random.Random(os.urandom(8)))


@dataclass
class Outcome:
    """Say what happened, and what is in the tables."""

    blows: Counter[str]
    seconds: float
    published: int
    landed: int
    quarantined: int
    distinct: int
    broken_landed: int
    conflicts_with_suite: int

    @property
    def exactly_once(self) -> bool:
        """Whether every event is there once, in one table or the other."""
        return self.published == self.landed + self.quarantined == self.distinct and self.broken_landed == 0


class Chaos:
    """Drive workers and publishers against a cluster."""

    def __init__(self, folder: Path, cluster: Cluster, plan: Plan) -> None:
        self._folder = folder
        self._cluster = cluster
        self._plan = plan
        self._url = f"{cluster.url}?session.timeout.ms={int(_SESSION * 1000)}{plan.options}"
        self._archive: Archive = Lake(folder / "lake").create(SPEC.name, spec=SPEC)
        self._blows: Counter[str] = Counter()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._log = (folder / "processes.log").open("wb")

    def run(self) -> Outcome:
        """Publish, strike, land the rest, and count."""
        begun = time.monotonic()
        with open_stream(self._url, embedded_folder=None) as stream:
            stream.create_topic(SPEC.topic, _PARTITIONS)
        episodes = self._plan.steps // EPISODE // len(_PUBLISHERS)
        with ExitStack() as stack:
            stack.callback(self._end)
            self._workers = [self._start("work") for _ in range(_WORKERS)]
            publishers = [self._start("publish", source) for source in _PUBLISHERS]
            for publisher in publishers:
                stack.callback(publisher.kill)
                assert publisher.stdin is not None
                publisher.stdin.write(b"50\n" * (episodes // 50) + b"%d\n" % (episodes % 50))
                publisher.stdin.close()
            self._strike(publishers)
            assert [publisher.wait() for publisher in publishers] == [0] * len(publishers), self._said()
        with open_stream(self._url, embedded_folder=None) as stream:
            ingest_once(Lake(self._folder / "lake"), stream=stream)
        return self._count(episodes * len(_PUBLISHERS) * EPISODE, time.monotonic() - begun)

    def _strike(self, publishers: list[subprocess.Popen[bytes]]) -> None:
        """Strike until everything is published, and often enough."""
        chance = self._plan.chance
        while any(one.poll() is None for one in publishers) or self._blows.total() < self._plan.least:
            time.sleep(chance.uniform(0.2, 2 * self._plan.pause - 0.2))  # a random moment, on purpose
            blow = self._plan.blows[self._blows.total() % len(self._plan.blows)]
            if self._blows.total() == self._plan.least // 2:
                self._archive.change_suite(STRICT)  # for those that are started from now on
            getattr(self, f"_{blow}")(chance.randrange(_WORKERS))
            self._blows[blow] += 1

    def _worker(self, number: int) -> None:
        """Kill a worker, and start another."""
        self._kill([number])

    def _workers_at_commit(self, _: int) -> None:
        """Kill all workers right when one of them has committed to a table: another commit may be due."""
        self._await_commit(self._plan.chance.choice(("quarantine", "steps")))
        self._kill(range(_WORKERS))

    def _kill(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._workers[number].kill()
        for number in numbers:
            self._workers[number].wait()
            self._workers[number] = self._start("work")

    def _await_commit(self, table: str) -> None:
        """Return at the next commit, or after a while in which there is none."""
        log = self._archive.folder / table / "_delta_log"
        before, deadline = len(os.listdir(log)), time.monotonic() + 5
        while len(os.listdir(log)) == before and time.monotonic() < deadline:
            time.sleep(0.0005)

    def _broker(self, _: int) -> None:
        """Kill a broker, and start it again."""
        broker = self._plan.chance.choice(self._cluster.brokers)
        broker.send_signal(signal.SIGKILL)
        broker.start()
        broker.wait()

    def _freeze(self, number: int) -> None:
        """Freeze a worker for longer than its session, so that others take over, and thaw it."""
        self._workers[number].send_signal(signal.SIGSTOP)
        time.sleep(_SESSION * 1.5)
        self._workers[number].send_signal(signal.SIGCONT)

    def _start(self, role: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.ingest.worker_process", role]
        return subprocess.Popen(
            [*command, str(self._folder / "lake"), self._url, *words],
            cwd=_ROOT,
            stdin=subprocess.PIPE if role == "publish" else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )

    def _end(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self._log.close()

    def _said(self) -> str:
        return (self._folder / "processes.log").read_text(errors="replace")[-4000:]

    def _count(self, published: int, seconds: float) -> Outcome:
        lake = Lake(self._folder / "lake")
        key = "source, episode_id, step"
        landed, quarantined = (f"select {key} from {SPEC.name}.{table}" for table in ("steps", "quarantine"))

        def number(sql: str) -> int:
            return int(lake.sql(sql).rows()[0][0])

        return Outcome(
            blows=self._blows,
            seconds=round(seconds, 1),
            published=published,
            landed=number(f"select count(*) from ({landed})"),
            quarantined=number(f"select count(*) from ({quarantined})"),
            distinct=number(f"select count(distinct ({key})) from ({landed} union all {quarantined})"),
            broken_landed=number(f"select count(*) from {SPEC.name}.steps where step % {BROKEN_EVERY} = 0"),
            conflicts_with_suite=number(f"select count(*) from {SPEC.name}.quarantine where reward = 1"),
        )


@contextmanager
def chaos_cluster(folder: Path) -> Iterator[Cluster]:
    """Run a broker of its own: it is going to be killed."""
    yield from running_cluster(folder / "kafka")


def main() -> int:
    """Run the full form, and print what came of it."""
    parser = argparse.ArgumentParser(prog="tests.kafka.chaos", description=__doc__)
    parser.add_argument("--steps", type=int, default=2_000_000)
    parser.add_argument("--blows", type=int, default=60)
    parser.add_argument("--options", default="", help="of the stream, such as '&group.protocol=consumer'")
    given = parser.parse_args()
    blows = ("worker", "workers_at_commit", "broker", "workers_at_commit", "freeze")
    plan = Plan(given.steps, blows, given.blows, options=given.options)
    with tempfile.TemporaryDirectory() as folder, chaos_cluster(Path(folder)) as cluster:
        outcome = Chaos(Path(folder), cluster, plan).run()
    sys.stdout.write(json.dumps({**vars(outcome), "exactly_once": outcome.exactly_once}, indent=2) + "\n")
    return 0 if outcome.exactly_once else 1


if __name__ == "__main__":
    sys.exit(main())
