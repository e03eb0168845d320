"""The worst episodes: those with the most that is wrong, and of the rest those with the least return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.episodes import EPISODE_KEY

_EPISODES = 10
_SHOWN = ("step", "observation", "action", "reward", "next_observation", "terminated", "truncated", "flags")
_ELEMENTS = 8  # of a vector
_SIGNS = 80  # of a text


def worst_episodes(
    episodes: pl.DataFrame, rows_of: Callable[[pa.Table], pa.Table]
) -> tuple[Mapping[str, Any], ...]:
    """Return the worst of an episode table with some of their steps in short form.

    `rows_of` returns steps of episodes that are given by their key columns. That an episode has no end is
    not held against it: it may still be going on.
    """
    wrong = pl.col("flags").list.set_difference(["incomplete"]).list.len()
    worst = episodes.sort(
        wrong, "episode_return", *EPISODE_KEY, descending=[True, False, False, False, False], nulls_last=True
    ).head(_EPISODES)
    if not worst.height:
        return ()
    steps: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows_of(worst.to_arrow()).to_pylist():
        steps.setdefault(tuple(row[name] for name in EPISODE_KEY), []).append(_short_row(row))
    return tuple(
        {
            **{name: episode[name] for name in EPISODE_KEY},
            "return": episode["episode_return"],
            "length": episode["length"],
            "flags": episode["flags"],
            "rows": steps.get(tuple(episode[name] for name in EPISODE_KEY), []),
        }
        for episode in worst.to_dicts()
    )


def _short_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _short(row[name]) for name in _SHOWN}


def _short(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, Mapping):
        return {name: _short(held) for name, held in value.items()}
    if isinstance(value, list) and len(value) > _ELEMENTS:
        return [*(_short(held) for held in value[:_ELEMENTS]), f"… {len(value):,} in all"]
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return f"{value[:_SIGNS]}…" if isinstance(value, str) and len(value) > _SIGNS else value
