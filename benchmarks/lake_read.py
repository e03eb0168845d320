"""Bulk reading into arrays: a snapshot of 10,000 episodes, of which nothing is cached, beside Minari."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lake import read_transitions

from .harness import Benchmark
from .lake_episodes import CARTPOLE, prepare
from .lake_peers import FORMATS, Format, read_minari


class ReadContest:
    """Read all transitions, each time from the files."""

    def __init__(self) -> None:
        self._snapshot = CARTPOLE.archive.snapshot().id
        self._form = max(FORMATS, key=self._minari)

    def ours(self) -> float:
        """Return the transitions that we read in a second."""
        return _rate(lambda: len(read_transitions(CARTPOLE.lake.snapshot(self._snapshot))))

    def other(self) -> float:
        """Return the transitions that Minari reads in a second, in the format that it reads faster."""
        return self._minari(self._form)

    def _minari(self, form: Format) -> float:
        return _rate(lambda: len(read_minari(CARTPOLE.folder / "minari", CARTPOLE.name, form)["reward"]))


def _rate(read: Callable[[], int]) -> float:
    started = time.perf_counter()
    return read() / (time.perf_counter() - started)


@contextmanager
def _prepare(folder: Path) -> Iterator[ReadContest]:
    prepare(CARTPOLE)
    yield ReadContest()


BENCHMARK = Benchmark(
    name="lake-read",
    title="Reading: 10,000 episodes as arrays of transitions",
    other_name="Minari, the faster of its formats",
    unit="steps/s",
    goal=10.0,
    better="higher",
    prepare=_prepare,
)
