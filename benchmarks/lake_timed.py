"""A contest of two calls: how many milliseconds each takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import duckdb

_FEWEST_CALLS = 3
_SECONDS = 1.0  # how long a figure is measured, at least


class TimedContest:
    """Time two calls, or one beside a limit in milliseconds."""

    def __init__(self, ours: Callable[[], object], other: Callable[[], object] | float) -> None:
        self._ours = ours
        self._other = other

    def ours(self) -> float:
        """Return the median over our calls, in milliseconds."""
        return _milliseconds(self._ours)

    def other(self) -> float:
        """Return the median over the other's calls, or the limit."""
        return _milliseconds(self._other) if callable(self._other) else self._other


def ask_duckdb(query: str) -> list[tuple[object, ...]]:
    """Return what bare DuckDB answers."""
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()


def _milliseconds(call: Callable[[], object]) -> float:
    spent: list[float] = []
    while len(spent) < _FEWEST_CALLS or sum(spent) < _SECONDS:
        started = time.perf_counter()
        call()
        spent.append(time.perf_counter() - started)
    return median(spent) * 1000
