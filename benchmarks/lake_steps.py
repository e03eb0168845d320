"""CartPole played by many poor controllers at once: real episodes by the million, the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete
from schemas.step import TIMESTAMP, wire_schema
from schemas.steps import Steps

SPEC = ArchiveSpec(name="cartpole", observation=Box(shape=(4,)), action=Discrete(n=2))
FIRST_DAY = datetime(2026, 5, 1, tzinfo=UTC)
_ENVIRONMENTS = 1000
_TURNS = 1000  # of each, in one batch
_BATCH = _ENVIRONMENTS * _TURNS
_AGENTS = 16
_LONGEST = 500  # steps of an episode
_SPAN = 30 * 86_400_000_000  # microseconds that all batches fill together


def make_batches(rows: int, done: int = 0) -> Iterator[Steps]:
    """Iterate over steps in batches of a million, or of what is left, without the first that are done.

    A batch has days and episodes of its own: an episode that it would cut short is truncated.
    """
    batches = -(-rows // _BATCH)
    for number in range(done, batches):
        table = _batch(number, _SPAN // batches).slice(0, rows - number * _BATCH)
        yield Steps(table, SPEC)


def _batch(number: int, span: int) -> pa.Table:
    random = np.random.default_rng(number)
    played = _play(random)
    rows = {
        name: np.swapaxes(values, 0, 1).reshape(_BATCH, *values.shape[2:]) for name, values in played.items()
    }
    environment = np.repeat(np.arange(_ENVIRONMENTS), _TURNS)
    run = random.bytes(6).hex()  # as publishers name their runs: ids of one day are anywhere in the alphabet
    first = np.append(True, rows["step"][1:] == 0)
    names = [f"{run}/{e}-{n}" for e, n in zip(environment[first], rows["episode"][first], strict=True)]
    agents = pa.array([f"agent-{number}" for number in range(_AGENTS)])
    ended = rows["truncated"]
    start = int(FIRST_DAY.timestamp()) * 1_000_000 + number * span
    turn = np.tile(np.arange(_TURNS), _ENVIRONMENTS)
    times = start + turn * (span // _TURNS) + random.integers(0, span // _TURNS, _BATCH)
    columns = {
        "source": pa.repeat("bench", _BATCH),
        "agent_id": agents.take(pa.array(environment % _AGENTS)),
        "episode_id": pa.array(names).take(pa.array(np.cumsum(first) - 1)),
        "step": pa.array(rows["step"]),
        "observation": _lists(rows["observation"]),
        "action": pa.array(rows["action"]),
        "action_log_prob": pa.array(np.log(rows["probability"])),
        "reward": pa.array(np.ones(_BATCH)),
        "next_observation": _lists(rows["following"], valid=ended),
        "terminated": pa.array(rows["terminated"]),
        "truncated": pa.array(ended),
        "policy_version": pa.repeat("poor", _BATCH),
        "event_time": pa.array(times).cast(TIMESTAMP),
        "priority": pa.array(np.ones(_BATCH, dtype=np.float32)),
    }
    schema = wire_schema(SPEC)
    return pa.table(
        [columns[f.name] if f.name in columns else pa.nulls(_BATCH, f.type) for f in schema], schema=schema
    )


def _play(random: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Play every environment for so many turns; return arrays of shape (turns, environments, ...)."""
    weights = np.array([0.0, 0.0, 1.0, 0.0]) + random.normal(0, [0.15, 0.15, 1e-9, 0.1], (_ENVIRONMENTS, 4))
    careless = random.choice([0.3, 0.6, 1.0], _ENVIRONMENTS)
    state = random.uniform(-0.05, 0.05, (_ENVIRONMENTS, 4))
    step = np.zeros(_ENVIRONMENTS, dtype=np.int64)
    episode = np.zeros(_ENVIRONMENTS, dtype=np.int64)
    kept: dict[str, list[NDArray[Any]]] = {}
    for turn in range(_TURNS):
        wanted = (state * weights).sum(axis=1) > 0
        action = np.where(random.random(_ENVIRONMENTS) < careless, random.random(_ENVIRONMENTS) < 0.5, wanted)
        following = _pushed(state, action)
        terminated = (np.abs(following[:, 0]) > 2.4) | (np.abs(following[:, 2]) > 0.2095)
        truncated = ~terminated & ((step == _LONGEST - 1) | (turn == _TURNS - 1))
        seen = {
            "observation": state.astype(np.float32),
            "action": action.astype(np.int64),
            "probability": np.where(action == wanted, 1 - careless / 2, careless / 2),
            "following": following.astype(np.float32),
            "terminated": terminated,
            "truncated": truncated,
            "step": step,
            "episode": episode,
        }
        for name, values in seen.items():
            kept.setdefault(name, []).append(values)
        ended = terminated | truncated
        state = np.where(ended[:, None], random.uniform(-0.05, 0.05, state.shape), following)
        step = np.where(ended, 0, step + 1)
        episode = episode + ended
    return {name: np.stack(values) for name, values in kept.items()}


def _pushed(state: NDArray[Any], action: NDArray[Any]) -> NDArray[Any]:
    """Return the states after a push to the right, or to the left: Gymnasium's CartPole-v1."""
    place, speed, angle, spin = state.T
    force = np.where(action, 10.0, -10.0)
    cos, sin = np.cos(angle), np.sin(angle)
    shared = (force + 0.05 * spin**2 * sin) / 1.1
    turning = (9.8 * sin - cos * shared) / (0.5 * (4.0 / 3.0 - 0.1 * cos**2 / 1.1))
    moving = shared - 0.05 * turning * cos / 1.1
    return np.stack(
        [place + 0.02 * speed, speed + 0.02 * moving, angle + 0.02 * spin, spin + 0.02 * turning], axis=1
    )


def _lists(values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> pa.ListArray:
    """Return arrays of four numbers as lists, null where they are not valid."""
    shown = values if valid is None else values[valid]
    lengths = np.full(len(values), 4) if valid is None else np.where(valid, 4, 0)
    offsets = np.append(0, np.cumsum(lengths)).astype(np.int32)
    missing = None if valid is None else pa.array(~valid)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(shown.reshape(-1)), mask=missing)
