"""Fixtures of the demo's tests: the whole demo, run once, with a load that takes seconds."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from replaylake.flows.demo import Goal, Load
from tests.cli.command import Outcome, call

FULL = "replaylake.flows.demo.FULL"
POSSIBLE = Load(steps=5_000, updates=30, episodes=3, goal=Goal(score=0, margin=-500))
IMPOSSIBLE = Load(steps=700, updates=1, episodes=2, goal=Goal(score=501))


@dataclass(frozen=True)
class Ran:
    """One run of the command, and the folder that it was run in."""

    outcome: Outcome
    cwd: Path

    @property
    def document(self) -> Any:
        """The document that it printed."""
        return self.outcome.document


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder, with no setting from outside, and leave the logger as it was."""
    for name in [name for name in os.environ if name.startswith("REPLAYLAKE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    logger = logging.getLogger("replaylake")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The demo with --json, under settings that would lead it astray if it read them."""
    cwd = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        patch.setattr(FULL, POSSIBLE)
        outcome = call(
            *("demo", "--json", "--seed", 5),
            REPLAYLAKE_STREAM="kafka://nowhere.invalid:1",
            REPLAYLAKE_LAKE=str(cwd / "other"),
            REPLAYLAKE_PARTITIONS="1",
        )
    assert outcome.code == 0, outcome.err
    return Ran(outcome, cwd)
