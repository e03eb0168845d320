"""What the gate costs a writer: every rule of an archive with a suite, beside the writing of its rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

from validation import Gate, Suite

from .cartpole_steps import SPEC, make_steps
from .harness import Benchmark

_ROWS = 1_000_000
_SUITE = {
    "name": "bench",
    "expectations": [
        {"type": f"expect_column_values_to_{verb}", "kwargs": kwargs}
        for verb, kwargs in (
            ("be_between", {"column": "reward", "min_value": -10, "max_value": 10}),
            ("not_be_null", {"column": "reward"}),
            ("be_in_set", {"column": "source", "value_set": ["bench"]}),
            ("be_between", {"column": "action_log_prob", "min_value": -10}),
            ("be_between", {"column": "step", "max_value": 500}),
        )
    ],
}


class GateContest:
    """Judge and write the same steps; the fastest of a few calls counts, for both."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "steps.parquet"
        self._rows = make_steps(_ROWS)
        self._gate = Gate(SPEC, Suite.from_dict(_SUITE))

    def ours(self) -> float:
        """Return the seconds of judging."""
        return min(self._timed(lambda: self._gate.judge(self._rows)) for _ in range(3))

    def other(self) -> float:
        """Return the seconds of writing."""
        return min(self._timed(lambda: pq.write_table(self._rows, self._path)) for _ in range(3))

    @staticmethod
    def _timed(work: Callable[[], object]) -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started


@contextmanager
def _prepare(folder: Path) -> Iterator[GateContest]:
    yield GateContest(folder)


BENCHMARK = Benchmark(
    name="validate-gate",
    title="Gate: 30 rules on a million steps of 4 floats",
    other_name="pyarrow writing them as Parquet",
    unit="s",
    goal=0.25,
    better="lower",
    prepare=_prepare,
)
