"""Profiles: what the steps of an archive are like, number by number, as a JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from validation.audits.groups import row_groups
from validation.audits.leaves import Numbers, categorical_leaves, numeric_leaves, table_of
from validation.profiling.figures import Categories, Figures

EPISODE_KEY = ("source", "agent_id", "episode_id")
_KEY = (*EPISODE_KEY, "step")


@dataclass(frozen=True, slots=True)
class Profile:
    """Describe steps: each of their numbers and categories, their episodes, and how far a step goes."""

    rows: int
    episodes: int
    numbers: Mapping[str, Figures]  # by leaf, such as observation[2]
    categories: Mapping[str, Categories]  # by leaf
    nulls: Mapping[str, int]  # by column
    jumps: Mapping[str, Figures] = field(default_factory=dict)  # of an observation's leaf, |next - this|
    ends: Figures | None = None  # rewards of the rows that terminate,
    others: Figures | None = None  # and of those that do not
    lengths: Figures | None = None  # steps of an episode
    seconds: Figures | None = None  # between the steps of an episode
    unchanged: int = 0  # rows whose next observation is their observation
    has_unique_keys: bool = False  # (source, agent_id, episode_id, step), none null and none twice

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values from which `from_dict` makes an equal profile."""
        return {
            "rows": self.rows,
            "episodes": self.episodes,
            "numbers": {leaf: figures.to_dict() for leaf, figures in self.numbers.items()},
            "categories": {leaf: held.to_dict() for leaf, held in self.categories.items()},
            "nulls": dict(self.nulls),
            "jumps": {leaf: figures.to_dict() for leaf, figures in self.jumps.items()},
            **{name: None if (held := getattr(self, name)) is None else held.to_dict() for name in _SINGLE},
            "unchanged": self.unchanged,
            "has_unique_keys": self.has_unique_keys,
        }

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Profile:
        """Read what `to_dict` made."""
        held = dict(mapping)
        for name in ("numbers", "jumps"):
            held[name] = {leaf: Figures.from_dict(one) for leaf, one in held[name].items()}
        held["categories"] = {leaf: Categories.from_dict(one) for leaf, one in held["categories"].items()}
        for name in _SINGLE:
            held[name] = None if held[name] is None else Figures.from_dict(held[name])
        return cls(**held)


_SINGLE = ("ends", "others", "lengths", "seconds")


def profile_steps(steps: pa.Table | pl.DataFrame, spec: ArchiveSpec) -> Profile:
    """Describe steps of an archive; of many a sample of whole episodes will do."""
    table = table_of(steps)
    groups = row_groups(table)
    numbers = numeric_leaves(table, spec)
    categories = categorical_leaves(table, spec)
    order, follows = _sequence(table, groups)
    jumps, unchanged = _jumps(numbers, order, follows)
    rewards, ended = numbers.get("reward"), _ended(table)
    keyed = [name for name in _KEY if name in table.column_names]
    unique = len(keyed) == len(_KEY) and not any(table[name].null_count for name in keyed)
    return Profile(
        rows=table.num_rows,
        episodes=len(np.unique(groups)),
        numbers={leaf: Figures.of(values, groups) for leaf, values in numbers.items()},
        categories={leaf: Categories.of(series) for leaf, series in categories.items()},
        nulls={name: table[name].null_count for name in table.column_names},
        jumps={leaf: Figures.of(values, groups) for leaf, values in jumps.items()},
        ends=None if rewards is None else Figures.of(rewards[ended], groups[ended]),
        others=None if rewards is None else Figures.of(rewards[~ended], groups[~ended]),
        lengths=Figures.of(np.unique(groups, return_counts=True)[1].astype(np.float64)),
        seconds=_seconds(table, groups, order, follows),
        unchanged=unchanged,
        has_unique_keys=unique and table.select(keyed).group_by(keyed).aggregate([]).num_rows == len(table),
    )


def _sequence(steps: pa.Table, groups: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Order the rows by episode and step, and say which, so ordered, has the next step after it."""
    if not steps.num_rows or any(name not in steps.column_names for name in ("episode_id", "step")):
        return np.arange(steps.num_rows), np.zeros(steps.num_rows, np.bool_)
    turns = np.asarray(steps["step"].fill_null(-1))
    order = np.lexsort((turns, groups))
    follows = np.zeros(len(order), np.bool_)
    known = np.asarray(steps["episode_id"].is_valid())[order]
    follows[:-1] = (np.diff(groups[order]) == 0) & (np.diff(turns[order]) == 1) & known[:-1]
    return order, follows


def _jumps(
    numbers: Mapping[str, Numbers], order: NDArray[np.intp], follows: NDArray[np.bool_]
) -> tuple[dict[str, Numbers], int]:
    """Measure how far each element goes, to the row's own next observation or to that of the next row."""
    jumps: dict[str, Numbers] = {}
    still: NDArray[np.bool_] | None = None
    for leaf, now in numbers.items():
        if not leaf.startswith("observation"):
            continue
        then = np.full(len(now), np.nan)
        then[order[:-1][follows[:-1]]] = now[order[1:][follows[:-1]]]
        own = numbers.get(f"next_{leaf}", np.full(len(now), np.nan))
        then = np.where(np.isnan(own), then, own)
        with np.errstate(invalid="ignore", over="ignore"):
            jumps[leaf] = np.abs(then - now)
        still = jumps[leaf] == 0 if still is None else still & (jumps[leaf] == 0)
    return jumps, 0 if still is None else int(still.sum())


def _ended(steps: pa.Table) -> NDArray[np.bool_]:
    if "terminated" not in steps.column_names:
        return np.zeros(steps.num_rows, np.bool_)
    return np.asarray(steps["terminated"].fill_null(False)).astype(np.bool_)


def _seconds(
    steps: pa.Table, groups: NDArray[np.int64], order: NDArray[np.intp], follows: NDArray[np.bool_]
) -> Figures | None:
    if "event_time" not in steps.column_names or steps["event_time"].null_count == steps.num_rows:
        return None
    times = numeric_leaves(steps, None, ["event_time"])["event_time"][order]
    gaps = np.diff(times)[follows[:-1]]
    return Figures.of(gaps, groups[order][:-1][follows[:-1]])
