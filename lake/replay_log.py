"""Which quarantine rows were resolved by replays: a list for each replay, beside the archive's tables.

A replay writes its list first, and then commits to the steps table under the list's name. A list whose name
the steps table does not know counts for nothing: its replay died, or another one was faster.
"""

from __future__ import annotations

import os
import uuid
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lake.commits import CommitLog
from lake.files import storage_errors, sync_folder
from schemas.errors import StorageError
from schemas.protocols import Move, replays_id
from schemas.step import LINEAGE_FIELDS

_FOLDER = "replays"
# What names a row for good: a topic that is made again counts its offsets anew, but at another time.
ROW_IDENTITY = tuple(field.name for field in LINEAGE_FIELDS)
RESOLVED_FIELDS = (pa.field("resolved_by", pa.string()), pa.field("resolved_as", pa.string()))
RESOLVED_SCHEMA = pa.schema([*LINEAGE_FIELDS, *RESOLVED_FIELDS])


class ReplayLog:
    """Keep the lists of an archive's replays, as of the version that its steps table is pinned to.

    Replays are numbered. A list's name starts with the number that its replay would have, so a list whose
    number is taken by another can be told from one whose replay may still commit.
    """

    def __init__(self, archive_folder: Path, archive: str, steps: CommitLog) -> None:
        self._folder = archive_folder / _FOLDER
        self._position_id = replays_id(archive)
        self._steps = steps

    @property
    def last(self) -> int:
        """The number of the last replay that has landed, or -1."""
        return self._steps.position(self._position_id)

    def files(self, after: int = -1) -> list[str]:
        """Return the lists of the replays that have landed, those after a number; raise where one is lost."""
        last = self.last
        if last <= after:
            return []
        found = self._found()
        return [self._landed(number, found[number]) for number in range(after + 1, last + 1)]

    def _landed(self, number: int, paths: list[Path]) -> str:
        """Return the list of the replay that took a number; of several, only one was committed."""
        if len(paths) > 1:
            paths = [path for path in paths if self._steps.position(_commit_id(path.stem)) >= 0]
        if len(paths) != 1:
            raise StorageError(
                f"The list of the rows that replay {number} resolved is not in {self._folder}.",
                hint="Restore the archive's folder from a copy: without the list rows would land twice.",
            )
        return str(paths[0])

    def write(self, resolved: pa.Table) -> str:
        """Write the list of the next replay, durably, and return the replay's id.

        `resolved` has the lineage of the rows and `resolved_as`.
        """
        replay = f"{self.last + 1:08d}-{uuid.uuid4().hex}"
        rows = resolved.append_column(RESOLVED_FIELDS[0], pa.repeat(replay, resolved.num_rows))
        path = self._path(replay)
        with storage_errors(f"write {path}"):
            if not self._folder.exists():
                self._folder.mkdir(exist_ok=True)
                sync_folder(self._folder.parent)
            with path.open("xb") as file:
                pq.write_table(rows.select(RESOLVED_SCHEMA.names).cast(RESOLVED_SCHEMA), file)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._folder)
        return replay

    def moves(self, replay: str) -> dict[str, Move]:
        """Return the moves by which a commit makes the replay's list count."""
        number = _number(replay)
        return {_commit_id(replay): Move(-1, 1), self._position_id: Move(number - 1, number)}

    def discard(self, replay: str) -> None:
        """Remove the list of a replay whose commit was refused."""
        with storage_errors(f"remove {self._path(replay)}"):
            self._path(replay).unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove the lists that can never count any more, for their number is taken by another."""
        last = self.last
        for number, paths in self._found().items():
            if number > last or len(paths) == 1:
                continue
            kept = self._landed(number, paths)
            for path in paths:
                if str(path) != kept:
                    self.discard(path.stem)

    def _found(self) -> defaultdict[int, list[Path]]:
        found: defaultdict[int, list[Path]] = defaultdict(list)
        with storage_errors(f"list {self._folder}"):
            for path in sorted(self._folder.glob("*.parquet")):
                found[_number(path.stem)].append(path.resolve())
        return found

    def _path(self, replay: str) -> Path:
        return self._folder / f"{replay}.parquet"


def _number(replay: str) -> int:
    return int(replay.partition("-")[0])


def _commit_id(replay: str) -> str:
    return f"replay/{replay}"
