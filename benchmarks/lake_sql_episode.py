"""One episode of 50 million steps by its id, of files that were read before: beside the limit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from .harness import Benchmark
from .lake_archive import large_lake
from .lake_steps import SPEC
from .lake_timed import TimedContest

_LIMIT_MS = 50.0
_EPISODES = 20  # that are asked for, one after another
_QUERY = f"select * from {SPEC.name}.steps where episode_id = ? order by step"  # noqa: S608


@contextmanager
def _prepare(folder: Path) -> Iterator[TimedContest]:
    lake = large_lake()
    chosen = f"select distinct episode_id from {SPEC.name}.steps order by md5(episode_id) limit {_EPISODES}"  # noqa: S608
    episodes = cycle(lake.sql(chosen).rows())
    yield TimedContest(lambda: lake.sql(_QUERY, next(episodes)).arrow(), _LIMIT_MS)


BENCHMARK = Benchmark(
    name="lake-sql-episode",
    title="SQL: one episode of 50 million steps by its id",
    other_name="the limit",
    unit="ms",
    goal=1.0,
    better="lower",
    prepare=_prepare,
)
