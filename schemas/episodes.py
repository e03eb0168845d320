"""The table of episodes: a row for each episode of one agent, with what is wrong in it. Audits write it."""

from __future__ import annotations

import pyarrow as pa

from schemas.step import TIMESTAMP

EPISODE_KEY = ("source", "agent_id", "episode_id")

EPISODES_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("agent_id", pa.string()),
        pa.field("episode_id", pa.string()),
        pa.field("date", pa.string()),  # of its first step
        pa.field("rows", pa.int64()),
        pa.field("length", pa.int64()),  # distinct steps
        pa.field("first_step", pa.int64()),
        pa.field("last_step", pa.int64()),
        pa.field("episode_return", pa.float64()),  # of the rewards that came, one for each step
        pa.field("missing_rewards", pa.int64()),  # steps whose reward never came
        pa.field("missing_propensities", pa.int64()),  # steps without an action_log_prob
        pa.field("ending", pa.string()),  # of the last step: terminated, truncated or null
        pa.field("complete", pa.bool_()),  # from step 0 to an end, each step once
        pa.field("gaps", pa.int64()),  # places between the first and the last step where some are missing
        pa.field("missing_steps", pa.int64()),  # how many are missing there
        pa.field("duplicate_steps", pa.int64()),  # rows whose step another row has
        pa.field("unnumbered_rows", pa.int64()),  # rows without a step, which nothing else here counts
        pa.field("wrong_next_observations", pa.int64()),  # unequal to the observation of the step after
        pa.field("bad_ends", pa.int64()),  # steps that end the episode, and it goes on
        pa.field("time_reversals", pa.int64()),  # steps that happened before the step before them
        pa.field("repeated_observations", pa.int64()),  # equal to the observation of the step before
        pa.field("started_at", TIMESTAMP),
        pa.field("ended_at", TIMESTAMP),
        pa.field("policy_versions", pa.list_(pa.string())),  # sorted, each once
        pa.field("flagged_rows", pa.int64()),  # rows that the gate flagged
        pa.field("flags", pa.list_(pa.string())),  # what is wrong: the checks that found something
        pa.field("quality_score", pa.float64()),  # the mean of its rows
        pa.field("fingerprint", pa.int64()),  # equal for episodes of equal content; null where that is usual
    ]
)
