"""Faults for the tests of the audits, put into a few rows or episodes of clean experience."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

Row = dict[str, Any]
Fault = Callable[[list[Row], np.random.Generator], None]


def spoil(clean: pa.Table, fault: Fault, *, episodes: bool, share: float = 0.05, seed: int = 7) -> pa.Table:
    """Put a fault into a share of the rows, one by one, or of the episodes, each as a whole."""
    random = np.random.default_rng(seed)
    rows = clean.to_pylist()
    by_episode: dict[str, list[Row]] = {}
    for row in rows:
        by_episode.setdefault(row["episode_id"], []).append(row)
    if episodes:
        names = list(by_episode)
        for index in random.permutation(len(names))[: max(2, round(share * len(names)))]:
            fault(by_episode[names[index]], random)
    else:
        for index in random.permutation(len(rows))[: round(share * len(rows))]:
            fault([rows[index]], random)
    return pa.Table.from_pylist(rows, schema=clean.schema)


def scale(column: str, index: int | None, factor: float) -> Fault:
    """Another unit."""

    def fault(rows: list[Row], random: np.random.Generator) -> None:
        for row in rows:
            _set(row, column, index, _get(row, column, index) * factor)

    return fault


def scale_sensor(index: int, factor: float) -> Fault:
    """Another unit, in the observation and the next one."""

    def fault(rows: list[Row], random: np.random.Generator) -> None:
        for row in rows:
            for column in ("observation", "next_observation"):
                if row[column] is not None:
                    _set(row, column, index, _get(row, column, index) * factor)

    return fault


def swap(one: int, other: int, *columns: str) -> Fault:
    """Two elements in each other's place."""

    def fault(rows: list[Row], random: np.random.Generator) -> None:
        for row in rows:
            for column in columns:
                values = row[column]
                if values is not None:
                    values[one], values[other] = values[other], values[one]

    return fault


def freeze(index: int, *columns: str) -> Fault:
    """An element that stays as it was a little after the episode's start."""

    def fault(rows: list[Row], random: np.random.Generator) -> None:
        held = rows[min(5, len(rows) - 1)]["observation"][index]
        for row in rows[5:]:
            for column in columns:
                if row[column] is not None:
                    row[column][index] = held

    return fault


def delay(column: str, index: int | None = None) -> Fault:
    """Each value is the one of the row before."""

    def fault(rows: list[Row], random: np.random.Generator) -> None:
        values = [_get(row, column, index) for row in rows]
        for row, value in zip(rows[1:], values[:-1], strict=True):
            _set(row, column, index, value)

    return fault


def delay_sensor(index: int) -> Fault:
    """An element that comes one step late, in the observation and the next one."""

    def fault(rows: list[Row], random: np.random.Generator) -> None:
        values = [row["observation"][index] for row in rows]
        for at, row in enumerate(rows):
            row["observation"][index] = values[max(at - 1, 0)]
            if row["next_observation"] is not None:
                row["next_observation"][index] = values[at]

    return fault


def off_by_one(rows: list[Row], random: np.random.Generator) -> None:
    """The next observation is that of the step after."""
    for row, following in pairwise(rows):
        row["next_observation"] = list(following["next_observation"])


def leak(index: int) -> Fault:
    """An element of the observation is already what it will be at the next step."""

    def fault(rows: list[Row], random: np.random.Generator) -> None:
        for row in rows:
            row["observation"][index] = row["next_observation"][index]

    return fault


def leak_reward(index: int) -> Fault:
    """An element of the observation is the reward."""

    def fault(rows: list[Row], random: np.random.Generator) -> None:
        for row in rows:
            row["observation"][index] = row["reward"]

    return fault


def relabel(count: int) -> Fault:
    """Action labels of another order: 0 is called 1, and so on."""

    def fault(rows: list[Row], random: np.random.Generator) -> None:
        for row in rows:
            row["action"] = (row["action"] + 1) % count

    return fault


def noise(index: int, size: float, *columns: str) -> Fault:
    """A noisy sensor."""

    def fault(rows: list[Row], random: np.random.Generator) -> None:
        for row in rows:
            for column in columns:
                if row[column] is not None:
                    row[column][index] += float(random.normal(0, size))

    return fault


def flip_reward(rows: list[Row], random: np.random.Generator) -> None:
    """The reward with the other sign."""
    for row in rows:
        row["reward"] = -row["reward"]


def shuffle_action(rows: list[Row], random: np.random.Generator) -> None:
    """Actions of other rows of the episode."""
    order = random.permutation(len(rows))
    actions = [rows[index]["action"] for index in order]
    for row, action in zip(rows, actions, strict=True):
        row["action"] = action


def _get(row: Row, column: str, index: int | None) -> Any:
    return row[column] if index is None else row[column][index]


def _set(row: Row, column: str, index: int | None, value: Any) -> None:
    if index is None:
        row[column] = value
    else:
        row[column][index] = value
