"""Learn from one snapshot in two ways, and play what was learned beside those who made the data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from replaylake.flows.demo.playing import ENV, play_whole
from replaylake.flows.learning import evaluate, train

if TYPE_CHECKING:
    from lake import Snapshot
    from training import Evaluation, Policy

ALGORITHMS: Final = ("cql", "bc")
# Longer returns than the default make this data's outcome steadier: 50 of 50 seeds reached 450 with them.
SETTINGS: Final[Mapping[str, Mapping[str, object]]] = {"cql": {"n_step": 10}, "bc": {}}
DEVICE: Final = "cpu"  # so that a seed learns the same everywhere; networks this small gain nothing elsewhere


@dataclass(frozen=True)
class Learned:
    """A policy with the seconds that learning it took."""

    policy: Policy
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return what was set and what came out, as JSON-ready values."""
        return {
            "algorithm": self.policy.algorithm,
            "config": self.policy.config.model_dump(mode="json"),
            "metrics": dict(self.policy.metrics),
            "seconds": self.seconds,
        }


def learn(
    snapshot: Snapshot, algorithm: str, seed: int, updates: int | None, report: Callable[[float, str], None]
) -> Learned:
    """Train on the snapshot, with the demo's settings; `updates` stands for their number, if given."""
    begin = time.perf_counter()
    policy = train(
        snapshot,
        algorithm=algorithm,
        seed=seed,
        device=DEVICE,
        on_progress=lambda done, total, metrics: report(done / total, f"loss {metrics['loss']:.3f}"),
        **{**SETTINGS[algorithm], **({} if updates is None else {"updates": updates})},
    )
    return Learned(policy, time.perf_counter() - begin)


def play_behaviour(episodes: int, seed: int) -> Evaluation:
    """Play the behaviour policy from the very states in which `evaluate` starts the learned ones."""
    from training import Evaluation

    seeds = [int(word) for word in np.random.SeedSequence(seed).generate_state(episodes)]
    returns = play_whole(seeds, seed)
    return Evaluation(ENV, seed, returns, tuple(int(reward) for reward in returns))  # a reward of 1 a step


def play_learned(policy: Policy, episodes: int, seed: int) -> Evaluation:
    """Play a learned policy."""
    return evaluate(policy, env=ENV, episodes=episodes, seed=seed)
