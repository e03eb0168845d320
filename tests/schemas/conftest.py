"""A small spec, and steps that follow it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Discrete
from schemas.steps import Steps


@pytest.fixture
def demo_spec() -> ArchiveSpec:
    return ArchiveSpec(name="demo", observation=Box(shape=(2,)), action=Discrete(n=2))


@pytest.fixture
def demo_row() -> dict[str, Any]:
    return {
        "episode_id": "e",
        "step": 1,
        "observation": [0.5, 1.0],
        "action": 1,
        "reward": 1.0,
        "terminated": False,
        "truncated": False,
    }


@pytest.fixture
def demo_steps(demo_spec: ArchiveSpec, demo_row: dict[str, Any]) -> Steps:
    return Steps.from_rows([demo_row, {**demo_row, "step": 2}], demo_spec)
