"""`replaylake train`: from a snapshot to a policy in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from replaylake.cli.assignments import parse_assignments
from replaylake.cli.console import pairs
from replaylake.cli.progress import Report, progress
from replaylake.cli.run import Run
from replaylake.cli.snapshot_text import erasure_text
from replaylake.cli.verbs import add_verb
from schemas.errors import AlreadyExistsError, StorageError, UsageError

_FLAGS = ("snapshot", "algorithm", "seed", "device", "output")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        train,
        settings=("device",),
        example="""
            replaylake train --snapshot cartpole-0123456789ab --algorithm cql
            replaylake train --snapshot cartpole-0123456789ab --algorithm cql alpha=0.5 "hidden=[128, 128]"
        """,
    )


def train(
    run: Run,
    snapshot: Annotated[
        str, typer.Option(metavar="ID", help="The snapshot to learn from, by id or by name.")
    ],
    assignments: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings of the algorithm; see `replaylake algorithms`."),
    ] = None,
    algorithm: Annotated[str, typer.Option(metavar="NAME", help="How to learn.")] = "cql",
    seed: Annotated[
        int, typer.Option(metavar="N", help="The same snapshot and seed give the same policy.")
    ] = 0,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to save; ./policies/SNAPSHOT-ALGORITHM-seedN without it."),
    ] = None,
) -> None:
    """Learn a policy from a snapshot, and save it in a folder."""
    overrides = parse_assignments(assignments or (), what="setting")
    _check_names(overrides)
    pinned = run.lake.snapshot(snapshot)
    if pinned.erasures:
        run.say(f"Of {pinned.id} were erased {erasure_text(pinned)}.")
    folder = output or Path("policies") / f"{pinned.id}-{algorithm}-seed{seed}"
    _check_free(folder)
    from replaylake import train as learn

    with progress("Learning", total=1) as report:
        policy = learn(
            pinned,
            algorithm=algorithm,
            seed=seed,
            device=run.settings.device,
            on_progress=lambda done, total, metrics: _tell(report, done, total, metrics),
            **overrides,
        )
    policy.save(folder)
    metrics = dict(policy.metrics)
    document = {
        "policy": str(folder),
        "snapshot": pinned.id,
        "erasures": [erasure.id for erasure in pinned.erasures],
        "algorithm": algorithm,
        "seed": seed,
        "config": policy.config.model_dump(mode="json"),
        "metrics": metrics,
    }
    shown = {"policy": folder, "learned from": f"{pinned.rows:,} steps", **_rounded(metrics)}
    run.answer(document, pairs(shown))
    if pinned.spec.environment:  # else there is none to play in
        run.suggest("evaluate", str(folder), "--env", pinned.spec.environment)


def _check_names(overrides: Mapping[str, object]) -> None:
    """Refuse what is an argument of training itself, and so cannot be a setting of an algorithm."""
    for name, value in overrides.items():
        if name in (*_FLAGS, "on_progress"):
            mend = f"Say --{name} {value}." if name in _FLAGS else "See `replaylake algorithms`."
            raise UsageError(f"No algorithm has a setting {name!r} (given: {value!r}).", hint=mend)


def _tell(report: Report, done: int, total: int, metrics: Mapping[str, float]) -> None:
    report(done / total, ", ".join(f"{name} {value}" for name, value in _rounded(metrics).items()))


def _rounded(metrics: Mapping[str, float]) -> dict[str, str]:
    return {name.replace("_", " "): f"{value:.4g}" for name, value in metrics.items()}


def _check_free(folder: Path) -> None:
    """Refuse before an hour of learning what could not be saved after it."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise AlreadyExistsError(
            "policy folder", str(folder), hint="Name another with --output, or remove it first."
        )
    there = next(parent for parent in folder.absolute().parents if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise StorageError(
            f"The policy cannot be saved in {str(folder)!r}: {str(there)!r} is not a folder to write in.",
            hint="Name another with --output.",
        )
