"""JSON messages of one step: the worker beside bare `pyarrow.json` and `write_deltalake`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.json

from schemas.step import wire_schema
from schemas.steps import Steps
from schemas.wire import encode_json_lines

from .cartpole_steps import SPEC, make_steps
from .harness import Benchmark
from .ingest_contest import COMMIT_ROWS, IngestContest, write_messages

_ROWS = 500_000


@contextmanager
def _prepare(folder: Path) -> Iterator[IngestContest]:
    write_messages(folder, _ROWS, encode_json_lines)
    commits = [
        encode_json_lines(Steps(make_steps(COMMIT_ROWS, first), SPEC))
        for first in range(0, _ROWS, COMMIT_ROWS)
    ]

    def chunks() -> Iterator[pa.Table]:
        for messages in commits:
            yield _parsed(b"\n".join(messages))

    yield IngestContest(folder, _ROWS, chunks)


def _parsed(buffer: bytes) -> pa.Table:
    options = pyarrow.json.ParseOptions(explicit_schema=wire_schema(SPEC))
    table = pyarrow.json.read_json(pa.BufferReader(buffer), parse_options=options)
    return table.append_column("date", pa.repeat("2026-05-28", table.num_rows))


BENCHMARK = Benchmark(
    name="ingest-json",
    title="Worker: JSON messages on the stream to committed rows",
    other_name="bare pyarrow.json and write_deltalake, messages in memory",
    unit="steps/s",
    goal=0.6,
    better="higher",
    prepare=_prepare,
)
