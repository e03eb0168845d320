"""The view of transitions over one day of 50 million steps: beside a query written by hand in bare DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .harness import Benchmark
from .lake_archive import large_lake
from .lake_steps import SPEC
from .lake_timed import TimedContest, ask_duckdb

_DAY, _NEXT_DAY = "2026-05-10", "2026-05-11"
_FIGURES = "count(*), sum(reward), avg(next_observation[3] - observation[3]), avg(action)"
_OURS = f"select {_FIGURES} from {SPEC.name}.transitions where date = '{_DAY}'"  # noqa: S608
# As one who knows the data would: the columns that are needed, and the files of the day and of the next
# one, in which an episode may go on.
_BY_HAND = """
    select {figures} from (
        select date, observation, action, reward, terminated,
            coalesce(next_observation, lead(observation) over turns) as next_observation
        from read_parquet({files}, hive_partitioning = true, hive_types_autocast = false)
        window turns as (partition by source, agent_id, episode_id order by step)
    )
    where date = '{day}' and (terminated or next_observation is not null)
"""


@contextmanager
def _prepare(folder: Path) -> Iterator[TimedContest]:
    lake = large_lake()
    table = lake.archive(SPEC.name).table("steps")
    files = table.uris(table.file_names(f"date >= '{_DAY}' and date <= '{_NEXT_DAY}'"))
    by_hand = _BY_HAND.format(figures=_FIGURES, files=files, day=_DAY)

    ours, theirs = lake.sql(_OURS).rows()[0], ask_duckdb(by_hand)[0]
    if ours[:2] != theirs[:2]:
        raise RuntimeError(f"The two answers differ: {ours} and {theirs}.")
    yield TimedContest(lambda: lake.sql(_OURS).rows(), lambda: ask_duckdb(by_hand))


BENCHMARK = Benchmark(
    name="lake-sql-transitions",
    title="SQL: the transitions of one day of 50 million steps",
    other_name="a query by hand in bare DuckDB",
    unit="ms",
    goal=1.5,
    better="lower",
    prepare=_prepare,
)
