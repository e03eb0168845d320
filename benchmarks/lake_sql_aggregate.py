"""A filtered aggregate over 50 million steps: `lake.sql` beside bare DuckDB on the same files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .harness import Benchmark
from .lake_archive import large_lake
from .lake_steps import SPEC
from .lake_timed import TimedContest, ask_duckdb

_QUERY = """
    select agent_id, count(*) as steps, avg(action) as pushes, max(step) as longest, sum(reward) as total
    from {steps}
    where date >= '2026-05-08' and step >= 10 and not terminated
    group by agent_id order by agent_id
"""


@contextmanager
def _prepare(folder: Path) -> Iterator[TimedContest]:
    lake = large_lake()
    table = lake.archive(SPEC.name).table("steps")
    files = table.uris(table.file_names())
    bare = _QUERY.format(
        steps=f"read_parquet({files}, hive_partitioning = true, hive_types_autocast = false)"
    )
    ours = _QUERY.format(steps=f"{SPEC.name}.steps")

    if lake.sql(ours).rows() != ask_duckdb(bare):
        raise RuntimeError("The two answers differ.")
    yield TimedContest(lambda: lake.sql(ours).rows(), lambda: ask_duckdb(bare))


BENCHMARK = Benchmark(
    name="lake-sql-aggregate",
    title="SQL: a filtered aggregate over 50 million steps",
    other_name="bare DuckDB on the same files",
    unit="ms",
    goal=1.2,
    better="lower",
    prepare=_prepare,
)
