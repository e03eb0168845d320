"""Train and evaluate: the training floor, imported when it is first used, for Torch takes its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replaylake.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lake import Snapshot
    from training import Evaluation, Policy


def train(
    snapshot: Snapshot,
    *,
    algorithm: str = "cql",
    seed: int = 0,
    device: str | None = None,
    on_progress: Callable[[int, int, Mapping[str, float]], None] | None = None,
    **overrides: object,
) -> Policy:
    """Train a policy on a pinned snapshot: the same snapshot and seed give the same policy.

    `overrides` are settings of the algorithm, such as `alpha=0`. Raise UsageError for one that it does
    not have, and TrainingError where the data cannot be learned from.
    """
    import training

    return training.train(
        snapshot,
        algorithm=algorithm,
        seed=seed,
        device=device or load_settings().device,
        on_progress=on_progress,
        **overrides,
    )


def evaluate(policy: Policy, *, env: str, episodes: int = 20, seed: int = 0) -> Evaluation:
    """Play whole episodes in the environment, each with a seed of its own, and return what they gave."""
    import training

    return training.evaluate(policy, env=env, episodes=episodes, seed=seed)
