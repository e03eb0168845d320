"""Opening an archive of 10,000 episodes and counting them: beside Minari, or fast enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lake import Lake

from .harness import Benchmark
from .lake_episodes import CARTPOLE, prepare
from .lake_peers import minari_counts
from .lake_timed import TimedContest

_COUNTS = f"select count(*), count(distinct episode_id) from {CARTPOLE.name}.steps"  # noqa: S608
_LIMIT_MS = 100.0


def _counts() -> tuple[int, int]:
    lake = Lake(CARTPOLE.folder / "lake")
    lake.archive(CARTPOLE.name)
    steps, episodes = lake.sql(_COUNTS).rows()[0]
    return int(steps), int(episodes)


def _minari_counts() -> tuple[int, int]:
    return minari_counts(CARTPOLE.folder / "minari", CARTPOLE.name, "hdf5")


@contextmanager
def _prepare(folder: Path) -> Iterator[TimedContest]:
    prepare(CARTPOLE)
    if _counts() != _minari_counts():
        raise RuntimeError(f"The two count differently: {_counts()} and {_minari_counts()}.")
    yield TimedContest(_counts, _minari_counts)


BENCHMARK = Benchmark(
    name="lake-open",
    title="Opening an archive of 10,000 episodes, and counting steps and episodes",
    other_name="Minari, which has both numbers in a file",
    unit="ms",
    goal=1.0,
    better="lower",
    prepare=_prepare,
    enough=_LIMIT_MS,
)
