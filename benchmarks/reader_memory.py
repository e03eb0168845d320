"""The reader's memory with an archive larger than that: the peak over an epoch of shuffled blocks.

The archive has READER_BENCH_GB gigabytes of tensors, two without it; an epoch needs three times that of disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from lake import Lake
from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.spaces import Box, Discrete
from schemas.step import TIMESTAMP, wire_schema
from schemas.steps import Steps

from .harness import Benchmark
from .made_once import cache_folder, made_once

_GIGABYTES = 2.0
_VARIABLE = "READER_BENCH_GB"
_LIMIT_MB = 1000.0
_EPISODE, _BATCH = 500, 60_000  # steps
_START = 1_780_000_000_000_000  # microseconds
_SPEC = ArchiveSpec(name="wide", observation=Box(shape=(256,)), action=Discrete(n=2))
_STEP_BYTES = 256 * 4 + 22  # the tensors of a step, each observation once
_EPOCH = """
import sys
from lake import Lake
from lake.reading import open_blocks
snapshot = Lake(sys.argv[1]).archive("wide").snapshot()
with open_blocks(snapshot, seed=0, n=3, gamma=0.99) as blocks:
    found = sum(len(block["reward"]) for block in blocks)
    assert found == blocks.transitions > 0, found
"""
# The peak of the child alone: this process's own memory is not counted.
_MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
sys.exit(code)
"""


class ReaderMemoryContest:
    """Read an epoch of the same archive again and again, nothing of it cached."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake

    def ours(self) -> float:
        """Return the reader's peak resident memory in MB."""
        epoch = [sys.executable, "-c", _EPOCH, str(self._lake)]
        measured = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _MEASURED, *epoch],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(cache_folder())},  # the arrays, and twice as much for a shuffle
        )
        return float(measured.stdout)

    def other(self) -> float:
        """Return the limit in MB."""
        return _LIMIT_MB


def _gigabytes() -> float:
    said = os.environ.get(_VARIABLE, str(_GIGABYTES))
    try:
        wanted = float(said)
    except ValueError:
        wanted = 0.0
    if not 0 < wanted < 10_000:
        raise UsageError(
            f"{_VARIABLE}={said!r} is no size of an archive.", hint="Give gigabytes, such as 20."
        )
    return wanted


def _make(lake: Lake, rows: int) -> None:
    """Append what is missing; every version after the first is a batch."""
    archive = lake.archive(_SPEC.name) if _SPEC.name in lake.names() else lake.create(_SPEC.name, spec=_SPEC)
    random = np.random.default_rng(0)
    # Numbers that repeat within a step, so that the archive itself takes little room.
    values = np.tile(random.standard_normal((_BATCH, 32), dtype=np.float32), 8)
    schema = wire_schema(_SPEC)
    for number in range(archive.table("steps").version, -(-rows // _BATCH)):
        count = min(_BATCH, rows - number * _BATCH)
        turn = np.arange(number * _BATCH, number * _BATCH + count)
        offsets = pa.array(np.arange(0, 256 * count + 1, 256, dtype=np.int32))
        columns = {
            "source": pa.repeat("bench", count),
            "agent_id": pa.repeat("agent", count),
            "episode_id": pa.array(np.char.mod("run/%09d", turn // _EPISODE)),
            "step": pa.array(turn % _EPISODE),
            "observation": pa.ListArray.from_arrays(offsets, pa.array(values[:count].reshape(-1))),
            "action": pa.array(turn % 2),
            "reward": pa.array(np.ones(count)),
            "terminated": pa.array(turn % _EPISODE == _EPISODE - 1),
            "truncated": pa.array(np.zeros(count, dtype=bool)),
            "event_time": pa.array(_START + turn).cast(TIMESTAMP),
            "priority": pa.array(np.ones(count, dtype=np.float32)),
        }
        arrays = [columns[f.name] if f.name in columns else pa.nulls(count, f.type) for f in schema]
        archive.append(Steps(pa.table(arrays, schema=schema), _SPEC))


@contextmanager
def _prepare(folder: Path) -> Iterator[ReaderMemoryContest]:
    rows = int(_gigabytes() * 1e9 / _STEP_BYTES)
    kept = cache_folder() / f"reader-{rows}"
    lake = Lake(kept / "lake")
    made_once(kept, lambda: _make(lake, rows))
    yield ReaderMemoryContest(kept / "lake")


BENCHMARK = Benchmark(
    name="reader-memory",
    title="Reader: peak memory over an epoch of shuffled blocks",
    other_name="the limit",
    unit="MB",
    goal=1.0,
    better="lower",
    prepare=_prepare,
)
