"""One harness for all benchmarks: two things side by side, in turn, several rounds, and a goal.

Machines are noisy, so a benchmark never promises a time. It promises a ratio of ours to the other's,
both measured in the same run; the median over the rounds is held against the goal.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol


class Contest(Protocol):
    """Measure two things on the same input, as often as asked; each call starts afresh."""

    def ours(self) -> float:
        """Return our figure, in the benchmark's unit."""

    def other(self) -> float:
        """Return the other's figure, in the same unit."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Describe a benchmark: who competes, by which figure, and what ratio is the goal."""

    name: str
    title: str
    other_name: str
    unit: str
    goal: float
    better: Literal["higher", "lower"]  # of the figure, and so of the ratio
    prepare: Callable[[Path], AbstractContextManager[Contest]]
    enough: float | None = None  # a figure of ours that meets the goal, whatever the ratio


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hold what a benchmark measured: a pair of figures for each round."""

    benchmark: Benchmark
    ours: tuple[float, ...]
    other: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours divided by the other's, round by round."""
        return tuple(a / b for a, b in zip(self.ours, self.other, strict=True))

    @property
    def ratio(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool:
        """Say whether the median meets the goal."""
        pairs = [(self.ratio, self.benchmark.goal)]
        if self.benchmark.enough is not None:
            pairs.append((statistics.median(self.ours), self.benchmark.enough))
        return any(
            found >= goal if self.benchmark.better == "higher" else found <= goal for found, goal in pairs
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-ready values."""
        return {
            "name": self.benchmark.name,
            "title": self.benchmark.title,
            "other": self.benchmark.other_name,
            "unit": self.benchmark.unit,
            "ours_median": statistics.median(self.ours),
            "other_median": statistics.median(self.other),
            "ratio": self.ratio,
            "ratio_min": min(self.ratios),
            "ratio_max": max(self.ratios),
            "rounds": len(self.ratios),
            "goal": self.benchmark.goal,
            "enough": self.benchmark.enough,
            "better": self.benchmark.better,
            "met": self.met,
        }


def run_benchmark(
    benchmark: Benchmark, rounds: int, on_round: Callable[[int], None] = lambda done: None
) -> Outcome:
    """Measure both in turn, after a round that is not counted; who goes first changes with every round."""
    ours: list[float] = []
    other: list[float] = []
    with tempfile.TemporaryDirectory(prefix="replaylake-bench-") as folder:
        with benchmark.prepare(Path(folder)) as contest:
            contest.ours()
            contest.other()
            for done in range(rounds):
                if done % 2:
                    other.append(contest.other())
                    ours.append(contest.ours())
                else:
                    ours.append(contest.ours())
                    other.append(contest.other())
                on_round(done + 1)
    return Outcome(benchmark, tuple(ours), tuple(other))
