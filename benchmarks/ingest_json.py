"""JSON messages of one step: the worker beside bare `pyarrow.json` and `write_deltalake`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.json

from schemas.step import wire_schema
from schemas.steps import Steps

from .cartpole_steps import SPEC, make_steps
from .harness import Benchmark
from .ingest_contest import COMMIT_ROWS, IngestContest, write_messages

_ROWS = 2_000_000


@contextmanager
def _prepare(folder: Path) -> Iterator[IngestContest]:
    write_messages(folder, _ROWS, json_messages)
    commits = [
        json_messages(Steps(make_steps(COMMIT_ROWS, first), SPEC)) for first in range(0, _ROWS, COMMIT_ROWS)
    ]

    def chunks() -> Iterator[pa.Table]:
        for messages in commits:
            yield parsed(b"\n".join(messages))

    yield IngestContest(folder, _ROWS, chunks)


def json_messages(steps: Steps) -> list[bytes]:
    """Return a message for each step, as an outside producer writes it: without what it does not know."""
    known = [name for name in steps.table.column_names if steps.table[name].null_count < len(steps)]
    time = pl.col("event_time").dt.to_string("iso:strict")
    buffer = io.BytesIO()
    pl.DataFrame(steps.table.select(known)).with_columns(time).write_ndjson(buffer)
    return buffer.getvalue().splitlines()


def parsed(buffer: bytes) -> pa.Table:
    """Parse lines of JSON as the bare loops do: the wire's columns, and a date."""
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
