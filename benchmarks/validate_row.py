"""One row, judged by twelve rules: the slowest of a hundred calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .harness import Benchmark
from .validate_contest import SuiteContest
from .validate_rows import great_expectations


@contextmanager
def _prepare(folder: Path) -> Iterator[SuiteContest]:
    yield SuiteContest(1, great_expectations, "p99")


BENCHMARK = Benchmark(
    name="validate-row",
    title="Suite: one row by 12 rules, the 99th percentile",
    other_name="Great Expectations",
    unit="ms",
    goal=0.04,
    better="lower",
    prepare=_prepare,
    enough=2.0,
)
