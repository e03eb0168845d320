"""The dates of an archive's steps: which files hold them, and how their rows are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from lake.cold import COLD, StepsTables
from lake.parquet import partition_values
from lake.tables import ArchiveTables


@dataclass(frozen=True, slots=True)
class PartFile:
    """Name a file with rows of one date."""

    log: StepsTables
    name: str  # relative to the hot table
    rows: int
    size: int

    @property
    def tier(self) -> str:
        """Where the file is kept: hot or cold."""
        return "cold" if self.name.startswith(COLD) else "hot"


@dataclass(frozen=True, slots=True)
class Partition:
    """Hold the files of one date; the key is theirs, and changes when any of them does."""

    date: str  # empty where rows have none
    files: tuple[PartFile, ...]

    @property
    def key(self) -> str:
        """Identify the files: equal keys are of equal rows."""
        names = sorted(file.name for file in self.files)
        return hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]

    @property
    def rows(self) -> int:
        """How many rows the log says there are."""
        return sum(file.rows for file in self.files)

    @property
    def size(self) -> int:
        """How many bytes the files have."""
        return sum(file.size for file in self.files)

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        """Iterate over columns of all rows, so many at a time."""
        for file in self.files:
            for batch in file.log.batches(file.name, columns, rows):
                if batch.num_rows:
                    yield batch


def partitions(archive: ArchiveTables) -> tuple[StepsTables, list[Partition]]:
    """Return the steps as they are now, hot and cold, and their dates in order."""
    log = StepsTables(archive)
    by_date: dict[str, list[PartFile]] = {}
    for name, rows, size in sorted(log.file_sizes()):
        date = partition_values(name, log.partition_by)["date"] or ""
        by_date.setdefault(date, []).append(PartFile(log, name, rows, size))
    return log, [Partition(date, tuple(files)) for date, files in sorted(by_date.items())]
