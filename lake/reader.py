"""Read a snapshot as arrays: the one door by which learners meet the lake."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake.snapshots import Snapshot
from lake.sql import unreadable
from schemas.errors import DataError, UsageError
from schemas.spaces import Box, Discrete, MultiBinary, MultiDiscrete, Space
from schemas.step import ROW_ORDER
from schemas.transitions import Transitions

_COLUMNS = (
    "source",
    "agent_id",
    "episode_id",
    "step",
    "observation",
    "action",
    "reward",
    "next_observation",
    "terminated",
    "truncated",
)


def read_transitions(snapshot: Snapshot) -> Transitions:
    """Return the snapshot's transitions, ordered by their full key: the same bytes each time.

    A step becomes a transition where its reward came and its end is known: it terminated, or it has a
    next observation of its own, or the next turn of its agent is there.
    """
    steps = _ordered(snapshot)
    observation = column_array(steps["observation"], snapshot.spec.observation)
    follows = _follows(steps)
    own_next = np.asarray(steps["next_observation"].is_valid())
    next_observation = _next_observations(steps, snapshot.spec.observation, observation, follows, own_next)
    terminated = np.asarray(steps["terminated"])
    truncated = np.asarray(steps["truncated"])
    complete = np.asarray(steps["reward"].is_valid()) & (terminated | own_next | (follows & ~truncated))
    if not complete.any():
        raise DataError(
            f"The snapshot {snapshot.id} has {len(observation)} steps and no transition among them.",
            hint="A transition needs a reward, and a next observation or an end.",
        )
    ended = terminated | truncated
    follows &= ~ended
    follows[:-1] &= complete[1:]
    return Transitions(
        observation=observation[complete],
        action=column_array(steps["action"], snapshot.spec.action)[complete],
        reward=np.asarray(steps["reward"].fill_null(0.0)).astype(np.float32)[complete],
        next_observation=next_observation[complete],
        terminated=terminated[complete],
        follows=follows[complete],
    )


def _ordered(snapshot: Snapshot) -> pa.Table:
    columns = ", ".join(_COLUMNS)
    order = ", ".join(f"{name} nulls first" for name in ROW_ORDER)
    query = f"select {columns} from snapshot.steps where {snapshot.condition} order by {order}"
    with snapshot.connect() as connection:
        try:
            return connection.sql(query).to_arrow_table().combine_chunks()
        except duckdb.Error as exc:
            raise unreadable(exc) from exc


def _follows(steps: pa.Table) -> NDArray[np.bool_]:
    """Say of each row whether the next one is the next turn of the same agent in the same episode."""
    if not steps.num_rows:
        return np.zeros(0, dtype=bool)
    this, following = steps.slice(0, len(steps) - 1), steps.slice(1)
    same = pc.equal(following["step"], pc.add(this["step"], 1))
    for name in ("source", "agent_id", "episode_id"):
        same = pc.and_(same, pc.equal(following[name], this[name]))
    return np.append(np.asarray(pc.fill_null(same, False)), False)


def _next_observations(
    steps: pa.Table,
    space: Space,
    observation: NDArray[np.generic],
    follows: NDArray[np.bool_],
    own_next: NDArray[np.bool_],
) -> NDArray[np.generic]:
    result = np.zeros_like(observation)
    result[:-1][follows[:-1]] = observation[1:][follows[:-1]]
    if own_next.any():
        given = steps["next_observation"].filter(pa.array(own_next))
        result[own_next] = column_array(given, space)
    return result


def column_array(column: pa.ChunkedArray | pa.Array, space: Space) -> NDArray[Any]:
    """Return a column without nulls as one array of shape (N, *shape)."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    match space:
        case Discrete():
            return np.asarray(array)
        case Box(dtype="uint8", shape=shape):
            return _bytes_of(array).reshape(len(array), *shape)
        case Box(dtype=dtype, shape=shape):
            return np.asarray(pc.list_flatten(array)).astype(dtype, copy=False).reshape(len(array), *shape)
        case MultiBinary(shape=shape):
            return np.asarray(pc.list_flatten(array)).reshape(len(array), *shape)
        case MultiDiscrete(shape=shape, nvec=nvec):
            return np.asarray(pc.list_flatten(array)).reshape(len(array), *(shape or (len(nvec),)))
    raise UsageError(
        f"A learner cannot read a {space.type} space as one array.",
        hint="Train from an archive whose spaces are Box, Discrete, MultiDiscrete or MultiBinary.",
    )


def _bytes_of(array: pa.Array) -> NDArray[np.uint8]:
    """Return the bytes of all values, one after another, without a copy."""
    if not len(array):
        return np.empty(0, np.uint8)
    _, offsets, data = array.buffers()
    wide = pa.types.is_large_binary(array.type)
    bounds = np.frombuffer(offsets, np.int64 if wide else np.int32)[array.offset :]
    held: NDArray[np.uint8] = np.frombuffer(data, np.uint8)[bounds[0] : bounds[len(array)]]
    return held
