"""Arrow messages of 1,000 steps: the worker beside a bare write of the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from schemas.steps import Steps
from schemas.wire import encode_arrow

from .cartpole_steps import SPEC, make_steps
from .harness import Benchmark
from .ingest_contest import COMMIT_ROWS, IngestContest, write_messages

_ROWS = 2_000_000
_MESSAGE_ROWS = 1_000


@contextmanager
def _prepare(folder: Path) -> Iterator[IngestContest]:
    write_messages(folder, _ROWS, arrow_messages)
    chunks = [with_date(make_steps(COMMIT_ROWS, first)) for first in range(0, _ROWS, COMMIT_ROWS)]
    yield IngestContest(folder, _ROWS, lambda: chunks)


def arrow_messages(steps: Steps) -> list[bytes]:
    """Return messages of 1,000 steps each."""
    return [
        encode_arrow(Steps(steps.table.slice(first, _MESSAGE_ROWS), SPEC))
        for first in range(0, len(steps), _MESSAGE_ROWS)
    ]


def with_date(table: pa.Table) -> pa.Table:
    """Add the column that the table is partitioned by."""
    return table.append_column("date", pa.repeat("2026-05-28", table.num_rows))


BENCHMARK = Benchmark(
    name="ingest-arrow",
    title="Worker: Arrow messages on the stream to committed rows",
    other_name="bare write_deltalake of the same rows in memory",
    unit="steps/s",
    goal=0.6,
    better="higher",
    prepare=_prepare,
)
