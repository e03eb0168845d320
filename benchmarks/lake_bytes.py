"""What a step takes on the disk: our archive, all columns filled, beside the smallest of the peers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lake import Archive

from .harness import Benchmark
from .lake_episodes import Game, prepare
from .lake_peers import FORMATS, minari_bytes


class BytesContest:
    """Weigh the same episodes in two forms."""

    def __init__(self, game: Game) -> None:
        self._game = game
        (self._steps,) = game.lake.sql(f"select count(*) from {game.name}.steps").rows()[0]  # noqa: S608

    def ours(self) -> float:
        """Return the bytes of a step in our archive, its log and its settings too."""
        return archive_bytes(self._game.archive) / float(self._steps)

    def other(self) -> float:
        """Return the bytes of a step where a peer needs the fewest."""
        weighed = [minari_bytes(self._game.folder / "minari", self._game.name, form) for form in FORMATS]
        weighed.append((self._game.folder / "d3rlpy.h5").stat().st_size)
        return min(weighed) / float(self._steps)


def archive_bytes(archive: Archive) -> int:
    """Return what an archive takes without the files that wait for the vacuum."""
    data = sum(size for _, _, size in archive.table("steps").file_sizes())
    return data + sum(file.size for file in archive.store.files() if not file.name.endswith(".parquet"))


def bytes_benchmark(game: Game, what: str) -> Benchmark:
    """Return a benchmark of the bytes that a step of a game takes."""

    @contextmanager
    def prepared(folder: Path) -> Iterator[BytesContest]:
        prepare(game)
        yield BytesContest(game)

    return Benchmark(
        name=f"lake-bytes-{game.name}",
        title=f"Storage: bytes of a step, {what}",
        other_name="the fewest of Minari (HDF5, Arrow) and d3rlpy",
        unit="bytes",
        goal=1.0,
        better="lower",
        prepare=prepared,
    )
