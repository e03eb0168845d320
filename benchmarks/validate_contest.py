"""A suite beside a peer: the same rules and rows, each in the form that it likes best."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from .harness import Benchmark
from .validate_rows import make_rows, make_suite

Figure = Literal["rows per second", "p99"]
_FEWEST_CALLS = 5
_SECONDS = 1.0  # how long a figure is measured, at least


class SuiteContest:
    """Judge the same rows again and again; both were compiled before."""

    def __init__(
        self, rows: int, peer: Callable[[pl.DataFrame], Callable[[], object]], figure: Figure
    ) -> None:
        self._figure = figure
        self._rows = make_rows(rows)
        self._suite = make_suite()
        self._peer = peer(self._rows)

    def ours(self) -> float:
        """Return the figure of `Suite.validate`."""
        return self._measure(lambda: self._suite.validate(self._rows, "SUMMARY"))

    def other(self) -> float:
        """Return the peer's figure."""
        return self._measure(self._peer)

    def _measure(self, judge: Callable[[], object]) -> float:
        spent: list[float] = []
        while len(spent) < _FEWEST_CALLS or sum(spent) < _SECONDS:
            started = time.perf_counter()
            judge()
            spent.append(time.perf_counter() - started)
        if self._figure == "p99":
            return float(np.quantile(spent, 0.99)) * 1000
        return len(self._rows) * len(spent) / sum(spent)


def suite_benchmark(
    name: str,
    title: str,
    other_name: str,
    rows: int,
    peer: Callable[[pl.DataFrame], Callable[[], object]],
    goal: float,
) -> Benchmark:
    """Return a benchmark of the rows that are judged in a second."""

    @contextmanager
    def prepare(folder: Path) -> Iterator[SuiteContest]:
        yield SuiteContest(rows, peer, "rows per second")

    return Benchmark(name, title, other_name, "rows/s", goal, "higher", prepare)
