"""Episodes that are sound in themselves, and were recorded in another world, or by another policy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.faults.corpus.log import Array, Fault, Log, Rng, Truth


def _in_place_of_own(foreign: str, *columns: str) -> Callable[[Log, Rng, float], Truth]:
    """Put episodes of another log in the place of a share of the rows."""

    def damage(log: Log, rng: Rng, share: float) -> Truth:
        other = log.others[foreign]
        wanted = round(share * len(log))
        removed = _some_until(log.episodes(), wanted, rng)
        added = _some_until(other.episodes(), wanted, rng)
        log.take(np.setdiff1d(np.arange(len(log)), removed))
        log.append(other, added)
        return Truth(np.arange(len(log) - len(added), len(log)), frozenset(columns))

    return damage


def _some_until(episodes: list[Array], wanted: int, rng: Rng) -> Array:
    chosen: list[Array] = []
    for place in rng.permutation(len(episodes)):
        if sum(map(len, chosen)) >= wanted:
            break
        chosen.append(episodes[place])
    return np.sort(np.concatenate(chosen))


FOREIGN_FAULTS = (
    Fault(
        "other_physics",
        "episodes are of another version of the environment",
        _in_place_of_own("physics", "observation", "next_observation"),
    ),
    Fault(
        "other_policy",
        "episodes are of a policy before this one, under this one's version",
        _in_place_of_own("policy", "action_log_prob", "action", "policy_version"),
    ),
)
