"""The harness of the benchmarks, by contests whose figures are known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from replaylake.benchmarking import load_benchmarks
from replaylake.cli.app import app


class Known:
    """Return figures in order, and remember who was asked."""

    def __init__(self, ours: list[float], other: list[float]) -> None:
        self.asked = ""
        self._ours = iter(ours)
        self._other = iter(other)

    def ours(self) -> float:
        self.asked += "a"
        return next(self._ours)

    def other(self) -> float:
        self.asked += "b"
        return next(self._other)


def outcome_of(
    contest: Known, goal: float, better: str, rounds: int = 3, enough: float | None = None
) -> object:
    benchmarks = load_benchmarks()

    @contextmanager
    def prepare(folder: Path) -> Iterator[Known]:
        assert folder.is_dir()
        yield contest

    benchmark = benchmarks.Benchmark("known", "title", "other", "steps/s", goal, better, prepare, enough)
    return benchmarks.run_benchmark(benchmark, rounds).to_dict()


def test_the_ratio_is_the_median_over_rounds_and_the_first_round_does_not_count() -> None:
    contest = Known([99.0, 6.0, 8.0, 30.0], [1.0, 10.0, 10.0, 10.0])
    outcome = outcome_of(contest, 0.8, "higher")
    assert isinstance(outcome, dict)
    assert (outcome["ratio"], outcome["ratio_min"], outcome["ratio_max"]) == (0.8, 0.6, 3.0)
    assert outcome["met"] is True
    assert contest.asked == "ab" + "ab" + "ba" + "ab"


@pytest.mark.parametrize(("goal", "better", "met"), [(2.1, "higher", False), (2.0, "lower", True)])
def test_a_goal_is_met_from_its_side(goal: float, better: str, met: bool) -> None:
    outcome = outcome_of(Known([4.0] * 4, [2.0] * 4), goal, better)
    assert isinstance(outcome, dict)
    assert outcome["met"] is met


@pytest.mark.parametrize(("ours", "met"), [(7.0, True), (6.9, False)])
def test_a_figure_may_be_enough_whatever_the_ratio(ours: float, met: bool) -> None:
    outcome = outcome_of(Known([ours] * 4, [70.0] * 4), 0.5, "higher", enough=7.0)
    assert isinstance(outcome, dict)
    assert outcome["met"] is met


def test_every_benchmark_can_be_found_and_an_unknown_one_names_them() -> None:
    benchmarks = load_benchmarks()
    assert all(benchmarks.find_benchmark(name).name == name for name in benchmarks.benchmark_names())
    result = CliRunner().invoke(app, ["bench", "nope", "--json"])
    assert result.exit_code == 2
    assert "ingest-arrow" in json.loads(result.stdout)["error"]["message"]
