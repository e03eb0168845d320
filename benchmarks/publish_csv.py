"""A CSV of a million rows, mapped and published in bulk: rows a second, beside what is asked of it."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from ingest import EmbeddedStream
from lake import Lake
from replaylake import publish_files

from .cartpole_steps import EPISODE, SPEC
from .harness import Benchmark

_ROWS = 1_000_000
_ASKED = 300_000.0
_MAPPING = """
source: {format: csv}
columns:
  source: {const: plant}
  episode_id: run
  step: {field: turn}
  observation: {vector: [x, v, angle, spin]}
  action: {field: push, values: {left: 0, right: 1}}
  reward: {field: gain}
  terminated: {expr: 'col("fell") == "1"'}
  truncated: {const: false}
  event_time: {field: at, time: epoch_ms}
"""


class PublishContest:
    """Publish the same file again and again, each time into a fresh stream."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._csv, self._mapping = folder / "log.csv", folder / "mapping.yaml"
        self._mapping.write_text(_MAPPING)
        _table().write_csv(self._csv)

    def ours(self) -> float:
        """Return the rows per second."""
        fresh = self._folder / uuid.uuid4().hex
        try:
            archive = Lake(fresh).create(SPEC.name, spec=SPEC)
            with EmbeddedStream(fresh / "stream") as stream:
                started = time.perf_counter()
                report = publish_files(archive, self._csv, mapping=self._mapping, stream=stream)
                spent = time.perf_counter() - started
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        if report.records != _ROWS or report.refused:
            raise RuntimeError(f"not all was published: {report}")
        return _ROWS / spent

    def other(self) -> float:
        """Return what is asked."""
        return _ASKED


def _table() -> pl.DataFrame:
    number = np.arange(_ROWS)
    values = np.random.default_rng(0).uniform(-1, 1, (4, _ROWS)).round(5)
    step = number % EPISODE
    return pl.DataFrame(
        {
            "run": number // EPISODE,
            "turn": step,
            **dict(zip(("x", "v", "angle", "spin"), values, strict=True)),
            "push": np.where(number % 2 == 1, "right", "left"),
            "gain": np.ones(_ROWS),
            "fell": (step == EPISODE - 1).astype(np.int8),
            "at": 1_780_000_000_000 + number,
        }
    )


@contextmanager
def _prepare(folder: Path) -> Iterator[PublishContest]:
    yield PublishContest(folder)


BENCHMARK = Benchmark(
    name="publish-csv",
    title="A mapped CSV of one million rows, published in bulk",
    other_name="what is asked",
    unit="rows/s",
    goal=1.0,
    better="higher",
    prepare=_prepare,
)
