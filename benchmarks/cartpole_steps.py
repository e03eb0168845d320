"""Steps for the benchmarks: CartPole's shape, plausible values, made fast and the same every time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete
from schemas.step import TIMESTAMP, wire_schema

EPISODE = 200  # steps
_START = 1_780_000_000_000_000  # microseconds
SPEC = ArchiveSpec(name="cartpole", observation=Box(shape=(4,), low=-5.0, high=5.0), action=Discrete(n=2))


def make_steps(rows: int, first: int = 0) -> pa.Table:
    """Return steps number `first` to `first + rows`, with the wire's columns, of one event date."""
    number = np.arange(first, first + rows)
    random = np.random.default_rng(first)
    values = random.uniform(-1, 1, rows * 4).astype(np.float32)
    offsets = np.arange(0, 4 * rows + 1, 4, dtype=np.int32)
    step = number % EPISODE
    columns = {
        "source": pa.repeat("bench", rows),
        "agent_id": pa.repeat("agent", rows),
        "episode_id": pa.array(np.char.add("run/", (number // EPISODE).astype(str))),
        "step": pa.array(step),
        "observation": pa.ListArray.from_arrays(pa.array(offsets), pa.array(values)),
        "action": pa.array(number % 2),
        "action_log_prob": pa.array(np.full(rows, np.log(0.5))),
        "reward": pa.array(np.ones(rows)),
        "terminated": pa.array(step == EPISODE - 1),
        "truncated": pa.array(np.zeros(rows, dtype=bool)),
        "event_time": pa.array(_START + number).cast(TIMESTAMP),
        "priority": pa.array(np.ones(rows, dtype=np.float32)),
    }
    schema = wire_schema(SPEC)
    return pa.table(
        [columns[f.name] if f.name in columns else pa.nulls(rows, f.type) for f in schema], schema=schema
    )
