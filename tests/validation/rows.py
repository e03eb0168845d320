"""Rows for the tests of validation: good ones, and changes that make them bad."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Verdict
from schemas.spaces import Box, Dict, Discrete, MultiDiscrete, Scalar, Text, Tuple
from schemas.step import wire_schema
from validation import Gate, Suite

CARTPOLE = ArchiveSpec(
    name="cartpole",
    observation=Box(
        shape=(4,), low=(-4.8, -math.inf, -0.418, -math.inf), high=(4.8, math.inf, 0.418, math.inf)
    ),
    action=Discrete(n=2),
    extras={
        "torque": Box(shape=(2,), low=-1.0, high=1.0),
        "speed": Scalar(dtype="float64"),
        "lives": Scalar(dtype="int64"),
        "won": Scalar(dtype="bool"),
        "seen": Scalar(dtype="timestamp"),
        "word": Text(max_length=4),
    },
)
PUZZLE = ArchiveSpec(
    name="puzzle",
    observation=Dict(
        spaces={
            "board": Box(shape=(2, 2), dtype="uint8", high=9.0),
            "clock": Box(shape=(), low=0.0, high=60.0),
        }
    ),
    action=MultiDiscrete(nvec=(2, 3), start=(0, 5)),
)
ROBOT = ArchiveSpec(
    name="robot",
    observation=Tuple(spaces=(Box(shape=(2,)), Discrete(n=3, start=1))),
    action=Box(shape=(2,), low=-1.0, high=1.0),
)
GOOD: dict[str, dict[str, Any]] = {
    "cartpole": {"observation": [0.0, 0.1, 0.0, -0.1], "action": 1},
    "puzzle": {"observation": {"board": b"\x00\x01\x02\x09", "clock": [30.0]}, "action": [1, 7]},
    "robot": {"observation": {"item_0": [0.5, 2.0], "item_1": 3}, "action": [0.5, -1.0]},
}
_COMMON = {
    "source": "test",
    "agent_id": "a",
    "episode_id": "e",
    "step": 3,
    "action_log_prob": -0.7,
    "reward": 1.0,
    "terminated": False,
    "truncated": False,
    "priority": 1.0,
}


def row(spec: ArchiveSpec, **changes: Any) -> dict[str, Any]:
    """Return a row that every built-in rule accepts, with some columns changed."""
    return {**_COMMON, **GOOD[spec.name], **changes}


def table(spec: ArchiveSpec, *rows: Mapping[str, Any]) -> pa.Table:
    """Put rows into a table with the spec's wire columns."""
    return pa.Table.from_pylist([dict(held) for held in rows], schema=wire_schema(spec))


def suite(*rules: Mapping[str, Any], name: str = "mine") -> Suite:
    """Make a suite of rules as they stand in a file."""
    return Suite.from_dict({"name": name, "expectations": list(rules)})


def rule(verb: str, severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    """Write a rule on a column as it stands in a file."""
    return {"type": f"expect_column_values_to_{verb}", "kwargs": kwargs, "severity": severity}


def judge(spec: ArchiveSpec, suite: Suite | None, *rows: Mapping[str, Any]) -> Verdict:
    """Judge rows by the built-in rules and a suite."""
    return Gate(spec, suite).judge(table(spec, *rows))
