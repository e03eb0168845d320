"""Bulk reading into arrays: a snapshot of which nothing is cached, beside Minari."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lake import read_transitions

from .harness import Benchmark
from .lake_episodes import CARTPOLE, Game, prepare
from .lake_peers import FORMATS, Format, read_minari


class ReadContest:
    """Read all transitions, each time from the files."""

    def __init__(self, game: Game) -> None:
        self._game = game
        self._snapshot = game.archive.snapshot().id
        self._form = max(FORMATS, key=self._minari)

    def ours(self) -> float:
        """Return the transitions that we read in a second."""
        return _rate(lambda: len(read_transitions(self._game.lake.snapshot(self._snapshot))))

    def other(self) -> float:
        """Return the transitions that Minari reads in a second, in the format that it reads faster."""
        return self._minari(self._form)

    def _minari(self, form: Format) -> float:
        folder, name = self._game.folder / "minari", self._game.name
        return _rate(lambda: len(read_minari(folder, name, form)["reward"]))


def _rate(read: Callable[[], int]) -> float:
    started = time.perf_counter()
    return read() / (time.perf_counter() - started)


def read_benchmark(game: Game, name: str, what: str) -> Benchmark:
    """Return a benchmark of reading a game's episodes as arrays of transitions."""

    @contextmanager
    def prepared(folder: Path) -> Iterator[ReadContest]:
        prepare(game)
        yield ReadContest(game)

    return Benchmark(
        name=name,
        title=f"Reading: {what}, as arrays of transitions",
        other_name="Minari, the faster of its formats",
        unit="steps/s",
        goal=10.0,
        better="higher",
        prepare=prepared,
    )


BENCHMARK = read_benchmark(CARTPOLE, "lake-read", "10,000 episodes of CartPole")
