"""Say how often what a policy would show is clicked: `python learned.py POLICY`.

Nobody has to play it: the log has the probability of every banner, so a click on a banner that the policy
would have shown, too, counts for all the times that it was not shown (inverse propensity scoring).
"""

from __future__ import annotations

import sys

import numpy as np

from replaylake import Lake
from training import Policy


def main() -> None:
    """Estimate from the steps that have landed."""
    (folder,) = sys.argv[1:]
    steps = Lake("lake").sql("select observation, action, action_probability, reward from shop.steps").pl()
    chosen = Policy.load(folder).act(np.array(steps["observation"].to_list()))
    weight = (chosen == steps["action"].to_numpy()) / steps["action_probability"].to_numpy()
    clicks = steps["reward"].to_numpy()
    spread = 1.96 * np.std(weight * clicks) / np.sqrt(len(steps))
    sys.stdout.write(f"clicked in the log        {clicks.mean():.3f}\n")
    sys.stdout.write(f"if this policy had shown  {np.mean(weight * clicks):.3f} (+- {spread:.3f})\n")


if __name__ == "__main__":
    main()
