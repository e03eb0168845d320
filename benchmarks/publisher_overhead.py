"""What recording costs an actor: CartPole played at random with and without the wrapper, beside the limit."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium
import numpy as np

from ingest import EmbeddedStream, Publisher
from ingest.wrappers.gymnasium import RecordSteps

from .cartpole_steps import SPEC
from .harness import Benchmark

_STEPS = 50_000
_PAIRS = 3  # of plays with and without, in turn
_LIMIT_US = 20.0


class OverheadContest:
    """Play the same steps again and again, recorded on an embedded stream and not.

    Processor time is counted, of all threads: the publisher's own is paid by the actor, too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._actions = np.random.default_rng(0).integers(0, 2, _STEPS).tolist()

    def ours(self) -> float:
        """Return the microseconds that recording adds to a step."""
        added = [self._recorded() - self._bare() for _ in range(_PAIRS)]
        return median(added) / _STEPS * 1e6

    def other(self) -> float:
        """Return the limit in microseconds."""
        return _LIMIT_US

    def _bare(self) -> float:
        started = time.process_time()
        self._play(gymnasium.make("CartPole-v1"))
        return time.process_time() - started

    def _recorded(self) -> float:
        folder = self._folder / uuid.uuid4().hex
        try:
            with EmbeddedStream(folder) as stream:
                started = time.process_time()
                with Publisher(SPEC, stream) as publisher:
                    env = gymnasium.make("CartPole-v1")
                    self._play(RecordSteps(env, publisher, propensity=lambda observation, action: 0.5))
                return time.process_time() - started
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _play(self, env: gymnasium.Env[Any, Any]) -> None:
        env.reset(seed=0)
        for action in self._actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        env.close()


@contextmanager
def _prepare(folder: Path) -> Iterator[OverheadContest]:
    yield OverheadContest(folder)


BENCHMARK = Benchmark(
    name="publisher-overhead",
    title="Publisher: processor time that recording adds to a step of CartPole",
    other_name="the limit",
    unit="us",
    goal=1.0,
    better="lower",
    prepare=_prepare,
)
