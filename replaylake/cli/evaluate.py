"""`replaylake evaluate`: play a policy in an environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from replaylake.cli.console import pairs
from replaylake.cli.progress import progress
from replaylake.cli.run import Run
from replaylake.cli.verbs import add_verb


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add_verb(
        app,
        evaluate,
        example="replaylake evaluate policies/cartpole-0123456789ab-cql-seed0 --env CartPole-v1",
    )


def evaluate(
    run: Run,
    policy: Annotated[Path, typer.Argument(metavar="POLICY", help="The folder that `train` wrote.")],
    env: Annotated[str, typer.Option(metavar="ID", help="The Gymnasium environment to play in.")],
    episodes: Annotated[int, typer.Option(metavar="N", help="How many episodes.")] = 20,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed plays the same episodes.")] = 0,
) -> None:
    """Play whole episodes with a policy, and say what they returned."""
    from replaylake import evaluate as play
    from training import Policy

    with progress("Playing"):
        result = play(Policy.load(policy), env=env, episodes=episodes, seed=seed)
    interval = result.interval and "{:,.1f} to {:,.1f}".format(*result.interval)
    shown = {
        "policy": policy,
        "environment": result.env,
        "episodes": f"{len(result.returns):,}",
        "mean return": f"{result.mean:,.1f}",
        "95% interval": interval,
        "worst to best": f"{result.min:,.1f} to {result.max:,.1f}",
        "mean length": f"{sum(result.lengths) / len(result.lengths):,.1f}",
    }
    run.answer({"policy": str(policy), **result.to_dict()}, pairs(shown))
