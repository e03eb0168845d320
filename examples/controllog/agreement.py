"""Say how often policies do what each operator did: `python agreement.py POLICY...`.

Without an environment nobody can play a policy, and without propensities nobody can weigh the notes by it.
What can be said is what it would do in the situations of a day that it has not learned from.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from replaylake import Lake
from training import Policy

HELD_OUT = "2025-03-07"


def main() -> None:
    """Compare with the day that was held out."""
    sys.stdout.write("policy    operator   steps   same set-point\n")
    for folder in map(Path, sys.argv[1:]):
        policy = Policy.load(folder)
        for operator in ("ada", "bob"):
            steps = (
                Lake("lake")
                .sql(
                    "select observation, action from tank.steps where date >= $day and policy_version = $who",
                    {"day": HELD_OUT, "who": operator},
                )
                .pl()
            )
            chosen = policy.act(np.array(steps["observation"].to_list()))
            same = np.mean(chosen == steps["action"].to_numpy())
            sys.stdout.write(f"{folder.name:9} {operator:10} {len(steps):5}   {same:.2f}\n")


if __name__ == "__main__":
    main()
