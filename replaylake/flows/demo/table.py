"""What was played as a table of steps, spread over the last days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from replaylake.flows.demo.playing import Row

DAYS = 7
SOURCE = "demo"
_TICK = 20_000  # microseconds: CartPole's own time step
_DAY = 86_400_000_000
_LONGEST = 60_000_000  # more than an episode lasts, so that each ends on the day it began


def step_table(rows: Sequence[Row], seed: int, today: datetime) -> pa.Table:
    """Return the rows as a publisher takes them, in time order within each episode.

    Episodes are spread over the seven days before `today`, a midnight in UTC: equal seeds differ by that
    day alone. An episode's following observation is left out where the next row has it.
    """
    episodes = np.array([row.episode for row in rows])
    steps = np.array([row.step for row in rows])
    starts = _starts(int(episodes[-1]) + 1, seed, today)
    times = starts[episodes] + steps * _TICK
    ends = [row.terminated or row.truncated for row in rows]
    following = [row.next_observation if end else None for row, end in zip(rows, ends, strict=True)]
    floats = pa.list_(pa.float32())
    return pa.table(
        {
            "source": pa.repeat(SOURCE, len(rows)),
            "agent_id": pa.repeat("default", len(rows)),
            "episode_id": [f"seed{seed}/episode-{row.episode:05}" for row in rows],
            "step": steps,
            "observation": pa.array([row.observation for row in rows], floats),
            "action": [row.action for row in rows],
            "action_probability": [row.propensity for row in rows],
            "reward": [row.reward for row in rows],
            "next_observation": pa.array(following, floats),
            "terminated": [row.terminated for row in rows],
            "truncated": [row.truncated for row in rows],
            "policy_version": [row.policy for row in rows],
            "event_time": pa.array(times, pa.timestamp("us", "UTC")),
        }
    )


def _starts(count: int, seed: int, today: datetime) -> NDArray[np.int64]:
    """Draw when each episode starts, in microseconds since 1970, in the order of the episodes."""
    generator = np.random.default_rng([seed, 1])
    first = int((today - timedelta(days=DAYS)).timestamp()) * 1_000_000
    days, within = np.divmod(np.sort(generator.uniform(0, DAYS, count)), 1)
    return first + days.astype(np.int64) * _DAY + (within * (_DAY - _LONGEST)).astype(np.int64)
