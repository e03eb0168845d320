"""Groups: rows that are not independent of each other, which is what an episode's are."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

_BLOCK = 50  # neighbouring rows that count as one group where there are no episodes


def row_groups(steps: pa.Table) -> NDArray[np.int64]:
    """Number the episode of each row; rows without one, or of a plain table, in blocks of 50 neighbours."""
    blocks = np.arange(steps.num_rows, dtype=np.int64) // _BLOCK
    if "episode_id" not in steps.column_names:
        return blocks
    keys = [name for name in ("source", "agent_id", "episode_id") if name in steps.column_names]
    frame = pl.DataFrame([pl.Series(name, steps[name]) for name in keys])
    episodes = frame.select(pl.struct(keys).rank("dense")).to_series().to_numpy().astype(np.int64)
    without = np.asarray(steps["episode_id"].is_null())
    return np.where(without, -1 - blocks, episodes)
