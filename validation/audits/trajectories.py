"""Trajectories: steps as arrays in the order in which they happened, each row with what follows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from validation.audits.leaves import numeric_leaves

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
_FEW_VALUES = 32
_ROWS_PER_STATE = 8  # at least, where whole numbers name states
_MOST_LEAVES = 48  # of an observation; more cost more than they tell


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Hold rows ordered by (source, agent_id, episode_id, step), and one column of numbers for each leaf."""

    keys: pl.DataFrame
    names: tuple[str, ...]  # the leaves of the observation
    action_names: tuple[str, ...]
    observation: Numbers  # (rows, leaves)
    action: Numbers  # (rows, leaves)
    reward: Numbers
    stated: Numbers  # the next observation as the row says it; NaN where it says nothing
    terminated: Mask
    episode: NDArray[np.int64]  # 0, 1, ... in the order of the rows; a row of no episode is one of its own
    follows: Mask  # row i + 1 is the next step of row i's episode

    @classmethod
    def of(
        cls, steps: pa.Table | pl.DataFrame, spec: ArchiveSpec, most_rows: int | None = None
    ) -> Trajectories:
        """Sort the steps; of more than `most_rows` take whole episodes, always the same ones."""
        rows = pl.DataFrame(steps)
        keys = rows.select("source", "agent_id", "episode_id", "step", at=pl.int_range(pl.len()))
        keys = keys.sort("source", "agent_id", "episode_id", "step", maintain_order=True)
        episode = _episodes(keys)
        if most_rows is not None and keys.height > most_rows:
            chosen = _some_episodes(episode, most_rows)
            keys, episode = keys.filter(chosen), episode[chosen]
            episode = np.unique(episode, return_inverse=True)[1].astype(np.int64)
        rows = rows[keys["at"]]
        observation = _block(rows, spec, "observation")
        names = _varied(observation)
        action = _block(rows, spec, "action")
        following = _block(rows, spec, "next_observation")
        step = keys["step"].to_numpy().astype(np.float64)
        follows = np.zeros(keys.height, np.bool_)
        follows[:-1] = (episode[1:] == episode[:-1]) & (np.diff(step) == 1)
        return cls(
            keys=keys,
            names=names,
            action_names=tuple(action),
            observation=_matrix(observation, names, keys.height),
            action=_matrix(action, tuple(action), keys.height),
            reward=_block(rows, spec, "reward").get("reward", np.full(keys.height, np.nan)),
            stated=_matrix(following, tuple(f"next_{name}" for name in names), keys.height),
            terminated=rows["terminated"].fill_null(False).to_numpy().astype(np.bool_),
            episode=episode,
            follows=follows,
        )

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def episodes(self) -> int:
        """The number of episodes."""
        return int(self.episode[-1]) + 1 if len(self) else 0

    @cached_property
    def observed_next(self) -> Numbers:
        """The observation of the following row; NaN where no row follows."""
        following = np.full_like(self.observation, np.nan)
        following[:-1] = np.where(self.follows[:-1, None], self.observation[1:], np.nan)
        return following

    @cached_property
    def successor(self) -> Numbers:
        """The next observation: as stated, else that of the following row, else NaN."""
        return np.where(np.isnan(self.stated), self.observed_next, self.stated)

    def examples(self, rows: Sequence[int] | NDArray[np.intp]) -> tuple[dict[str, Any], ...]:
        """Return the keys of some rows."""
        keys = self.keys.select("source", "agent_id", "episode_id", "step")
        return tuple(keys.row(int(row), named=True) for row in rows)


def same_leaves(reference: Trajectories, current: Trajectories) -> Trajectories:
    """Return the current rows with the reference's leaves of the observation, in its order."""
    if reference.names == current.names:
        return current
    index = [current.names.index(name) if name in current.names else -1 for name in reference.names]
    absent = np.array(index) < 0
    observation, stated = current.observation[:, index], current.stated[:, index]
    observation[:, absent], stated[:, absent] = np.nan, np.nan
    held = {name: getattr(current, name) for name in current.__dataclass_fields__}
    return Trajectories(**held | {"names": reference.names, "observation": observation, "stated": stated})


def any_leaf(mask: Mask) -> Mask:
    """Mark the rows in which any leaf is marked."""
    held: Mask = np.logical_or.reduce(mask, axis=1)
    return held


def is_continuous(values: Numbers) -> bool:
    """Say whether a leaf measures something: it takes many values, and they do not only name states."""
    known = values[np.isfinite(values)]
    found = np.unique(known)
    if len(found) <= _FEW_VALUES:
        return False
    return len(found) * _ROWS_PER_STATE > len(known) or not np.array_equal(found, np.round(found))


def per_episode(values: Numbers, episode: NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    """Return the sum of the values in each episode, and its number of rows."""
    return np.bincount(episode, values).astype(np.float64), np.bincount(episode).astype(np.float64)


def _episodes(keys: pl.DataFrame) -> NDArray[np.int64]:
    changed = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(name).shift()) for name in ("source", "agent_id", "episode_id")
    )
    first = changed | pl.col("episode_id").is_null() | (pl.int_range(pl.len()) == 0)
    return keys.select(first.cum_sum().cast(pl.Int64) - 1).to_series().to_numpy()


def _some_episodes(episode: NDArray[np.int64], most_rows: int) -> Mask:
    sizes = np.bincount(episode)
    order = np.random.default_rng(0).permutation(len(sizes))
    taken = order[np.cumsum(sizes[order]) <= most_rows]
    return np.isin(episode, taken if len(taken) else order[:1])


def _block(rows: pl.DataFrame, spec: ArchiveSpec, column: str) -> dict[str, Numbers]:
    return numeric_leaves(rows, spec, [column])


def _varied(leaves: dict[str, Numbers]) -> tuple[str, ...]:
    """Return the leaves' names, of too many those that take the most values."""
    if len(leaves) <= _MOST_LEAVES:
        return tuple(leaves)
    counts = {name: len(np.unique(held[:5000])) for name, held in leaves.items()}
    kept = sorted(counts, key=lambda name: -counts[name])[:_MOST_LEAVES]
    return tuple(name for name in leaves if name in kept)


def _matrix(leaves: dict[str, Numbers], names: tuple[str, ...], height: int) -> Numbers:
    if not names:
        return np.empty((height, 0))
    nothing = np.full(height, np.nan)
    return np.column_stack([leaves.get(name, nothing) for name in names])
