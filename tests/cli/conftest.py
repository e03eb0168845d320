"""Fixtures of the command's tests: an empty folder to work in, and a lake that holds something."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import ndjson, ok, step, steps


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with no setting from outside."""
    for name in [name for name in os.environ if name.startswith("REPLAYLAKE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Leave the logger as other tests expect it."""
    yield
    logger = logging.getLogger("replaylake")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


@pytest.fixture(scope="session")
def full_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with 200 good steps and 3 bad ones in the archive `cartpole`; tests leave it as it is."""
    lake = tmp_path_factory.mktemp("full") / "lake"
    bad = (step(90, 0, reward="NaN"), step(90, 1, action=7), step(90, 2, action=7))
    ok("archive", "create", "cartpole", "--env", "CartPole-v1", "--lake", lake)
    ok("publish", "cartpole", "-", "--lake", lake, stdin=ndjson(*steps(20), *bad))
    ok("ingest", "--once", "--lake", lake)
    return lake


@pytest.fixture
def lake(full_lake: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The full lake, as the lake of the settings."""
    monkeypatch.setenv("REPLAYLAKE_LAKE", str(full_lake))
    return full_lake
