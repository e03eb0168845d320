"""The worker's memory with a long backlog: the peak of the real command, beside the limit."""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lake import Lake

from .cartpole_steps import SPEC
from .harness import Benchmark
from .ingest_arrow import arrow_messages
from .ingest_contest import write_messages

_ROWS = 5_000_000
_LIMIT_MB = 600.0
# The peak of the child alone: this process's own memory is not counted.
_MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
sys.exit(code)
"""


class MemoryContest:
    """Ingest the same backlog again and again, each time into a fresh lake."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ours(self) -> float:
        """Return the worker's peak resident memory in MB."""
        fresh = self._folder / uuid.uuid4().hex
        Lake(fresh).create(SPEC.name, spec=SPEC)
        command = [sys.executable, "-m", "replaylake", "ingest", "--once", "--lake", str(fresh)]
        stream = f"embedded:{self._folder / 'stream'}"
        try:
            measured = subprocess.run(  # noqa: S603
                [sys.executable, "-c", _MEASURED, *command, "--stream", stream],
                check=True,
                capture_output=True,
                text=True,
            )
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return float(measured.stdout)

    def other(self) -> float:
        """Return the limit in MB."""
        return _LIMIT_MB


@contextmanager
def _prepare(folder: Path) -> Iterator[MemoryContest]:
    write_messages(folder, _ROWS, arrow_messages)
    yield MemoryContest(folder)


BENCHMARK = Benchmark(
    name="ingest-memory",
    title="Worker: peak memory with a backlog of 5 million steps",
    other_name="the limit",
    unit="MB",
    goal=1.0,
    better="lower",
    prepare=_prepare,
)
