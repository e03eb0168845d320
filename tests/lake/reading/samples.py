"""An archive of nested spaces and images, and what its values are made from: one number for each row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Dict, Discrete, MultiDiscrete, Scalar, Tuple
from tests.lake.archives import DAY
from tests.lake.reference import Transition

SPEC = ArchiveSpec(
    name="demo",
    observation=Dict(
        spaces={
            "camera": Box(shape=(2, 3), dtype="uint8", low=0, high=255),
            "pair": Tuple(spaces=(Discrete(n=1000), Box(shape=(2,), dtype="float64"))),
        }
    ),
    action=MultiDiscrete(nvec=(1000, 2)),
    extras={
        "belief": Box(shape=(2,), dtype="float16"),
        "speed": Scalar(dtype="float64"),
    },
    partition_by=("agent_id",),
)
COLUMNS = (
    *("observation", "action", "reward", "next_observation", "terminated", "truncated", "discount"),
    *("action_log_prob", "action_mask", "belief", "speed", "keys"),
)


def as_row(held: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a step of the nested archive for one of a plain log, whose observation is its number."""
    own = held["next_observation"]
    return held | {
        "observation": observation_of(held["observation"][0]),
        "action": [int(held["observation"][0]), held["action"]],
        "next_observation": None if own is None else observation_of(own[0]),
        "discount": discount_of(held["observation"][0]),
        "action_log_prob": -1.0 if number % 2 else None,
        "action_mask": None if number % 3 else [value < 7 for value in range(1002)],
        "belief": [held["observation"][0], 0.5] if number % 2 else None,
        "speed": None if number % 3 else float(number),
        "event_time": DAY + timedelta(days=number % 2),
    }


def observation_of(number: float) -> dict[str, Any]:
    """Return an observation; numbers of next observations end on a half."""
    return {
        "camera": np.full((2, 3), int(2 * number) % 256, np.uint8),
        "pair": (int(number), [number, -number]),
    }


def discount_of(number: float) -> float | None:
    """Return what the log says of how the future counts."""
    return None if number % 3 == 0 else 0.5 + (number % 4) / 8


def numbers_of(observation: Any) -> NDArray[np.float64]:
    """Return the numbers that observations are made of, having looked at each field."""
    number: NDArray[np.float64] = observation["pair"]["item_1"][:, 0]
    assert np.array_equal(observation["pair"]["item_1"][:, 1], -number)
    assert np.array_equal(observation["pair"]["item_0"], np.floor(number).astype(np.int64))
    camera = observation["camera"]
    assert camera.dtype == np.uint8
    assert camera.shape[1:] == (2, 3)
    assert (camera == (2 * number).astype(np.int64)[:, None, None] % 256).all()
    return number


def returns(found: Sequence[Transition], n: int, gamma: float) -> list[tuple[float, float, float, int]]:
    """Sum step by step: return, bootstrap discount, where it bootstraps from, and how many rewards."""
    return [_return(found, row, n, gamma) for row in range(len(found))]


def _return(found: Sequence[Transition], row: int, n: int, gamma: float) -> tuple[float, float, float, int]:
    total, weight, steps = 0.0, 1.0, 0
    while True:
        transition = found[row + steps]
        total += weight * transition.reward
        said = discount_of(transition.observation)
        weight *= gamma * (1.0 if said is None else said)
        steps += 1
        after = transition.next_observation or 0.0
        if transition.terminated:
            return total, 0.0, after, steps
        if steps == n or not transition.follows:
            return total, weight, after, steps


def close(found: Sequence[float], expected: Sequence[float]) -> bool:
    """Compare numbers, the one list in float32."""
    return len(found) == len(expected) and all(
        math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-5) for a, b in zip(found, expected, strict=True)
    )
