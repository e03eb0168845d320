"""Steps for the crash tests: numbered, so that each can be looked for; one in fifty is broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete
from schemas.step import TIMESTAMP

SPEC = ArchiveSpec(name="crash", observation=Box(shape=(2,)), action=Discrete(n=2))
EPISODE = 500  # steps
JSON_EVERY = 10  # one episode in so many is sent as JSON lines
BROKEN_EVERY = 50
DOUBTFUL_EVERY = 7  # one step in so many has a reward that the strict suite refuses
_START = 1_780_012_800
STRICT = {
    "name": "strict",
    "expectations": [
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "reward", "max_value": 0.5}}
    ],
}


def rows(source: str, episode: int) -> pa.Table:
    """Return an episode as a table of columns that `Publisher.publish_table` takes."""
    number = np.arange(EPISODE)
    values = np.stack([number, np.full(EPISODE, episode)], axis=1).astype(np.float32)
    values[number % BROKEN_EVERY == 0, 0] = np.nan
    seconds = _START + number + EPISODE * episode
    return pa.table(
        {
            "source": pa.repeat(source, EPISODE),
            "episode_id": pa.repeat(str(episode), EPISODE),
            "step": pa.array(number),
            "observation": pa.array(list(values), pa.list_(pa.float32())),
            "action": pa.array(number % 2),
            "reward": pa.array((number % DOUBTFUL_EVERY == 0).astype(np.float64)),
            "terminated": pa.array(number == EPISODE - 1),
            "truncated": pa.array(np.zeros(EPISODE, dtype=bool)),
            "event_time": pa.array(seconds * 1_000_000).cast(TIMESTAMP),
        }
    )


def json_lines(source: str, episode: int) -> Iterator[bytes]:
    """Return the same episode as JSON lines, its broken steps of another type."""
    for row in rows(source, episode).to_pylist():
        record: dict[str, Any] = {**row, "event_time": row["event_time"].isoformat()}
        if row["step"] % BROKEN_EVERY == 0:
            record["observation"] = [0.0, 0.0]
            record["action"] = 9
        yield json.dumps(record).encode()
