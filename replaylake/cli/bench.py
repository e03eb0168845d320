"""`replaylake bench`: ours beside another, in the same run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from replaylake.cli.console import table
from replaylake.cli.progress import progress
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(app, bench, example="replaylake bench ingest-arrow --rounds 3\nreplaylake bench --strict --json")


def bench(
    run: Run,
    names: Annotated[list[str] | None, typer.Argument(help="The benchmarks; all without one.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each pair is measured.")] = 5,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where a goal is missed.")] = False,
) -> None:
    """Measure replaylake beside the bare minimum or a peer, in turn, and hold the ratio to a goal."""
    from replaylake.benchmarking import load_benchmarks

    benchmarks = load_benchmarks()
    chosen = [benchmarks.find_benchmark(name) for name in names or benchmarks.benchmark_names()]
    outcomes = []
    for benchmark in chosen:
        with progress(benchmark.name, rounds) as report:
            outcomes.append(benchmarks.run_benchmark(benchmark, rounds, lambda done: report(done, "rounds")))
    run.answer([outcome.to_dict() for outcome in outcomes], _shown(outcomes))
    if strict and not all(outcome.met for outcome in outcomes):
        raise typer.Exit(1)


def _shown(outcomes: list[Any]) -> Any:
    numbers = ("ours", "the other's", "ratio", "spread", "goal")
    shown = table("benchmark", "beside", *numbers, "unit", "", numbers=numbers)
    for outcome in outcomes:
        found = outcome.to_dict()
        shown.add_row(
            found["name"],
            found["other"],
            _figure(found["ours_median"]),
            _figure(found["other_median"]),
            f"{found['ratio']:.2f}",
            f"{found['ratio_min']:.2f}-{found['ratio_max']:.2f}",
            _goal(found),
            found["unit"],
            "met" if found["met"] else "[red]missed[/red]",
        )
    return shown


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _goal(found: dict[str, Any]) -> str:
    sign = "≥" if found["better"] == "higher" else "≤"
    enough = "" if found["enough"] is None else f", or {_figure(found['enough'])}"
    return f"{sign} {found['goal']:.2f}{enough}"
