"""Which quarantine rows were resolved by replays: a list for each replay, beside the archive's tables.

A replay writes its list first, and then commits to the steps table under the list's name. A list whose name
the steps table does not know counts for nothing: its replay died, or another one was faster.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lake.commits import CommitLog
from lake.parquet import unreadable
from lake.stores import Store
from lake.tables import ArchiveTables
from schemas.errors import StorageError
from schemas.protocols import Move, replays_id
from schemas.step import LINEAGE_FIELDS

_FOLDER = "replays"
_SUFFIX = ".parquet"
# What names a row for good: a topic that is made again counts its offsets anew, but at another time.
ROW_IDENTITY = tuple(field.name for field in LINEAGE_FIELDS)
RESOLVED_FIELDS = (pa.field("resolved_by", pa.string()), pa.field("resolved_as", pa.string()))
RESOLVED_SCHEMA = pa.schema([*LINEAGE_FIELDS, *RESOLVED_FIELDS])


class ReplayLists(NamedTuple):
    """Name lists of resolved rows, in the store that holds them."""

    store: Store
    names: list[str]

    @property
    def uris(self) -> list[str]:
        """What other libraries open them by."""
        return [self.store.uri(name) for name in self.names]

    def read(self) -> Iterator[pa.Table]:
        """Iterate over the identities of the rows of each list."""
        for name in self.names:
            with unreadable(self.store, name), self.store.open(name) as file:
                yield pq.read_table(file, columns=list(ROW_IDENTITY))


class ReplayLog:
    """Keep the lists of an archive's replays, as of the version that its steps table is pinned to.

    Replays are numbered. A list's name starts with the number that its replay would have, so a list whose
    number is taken by another can be told from one whose replay may still commit.
    """

    def __init__(self, archive: ArchiveTables, steps: CommitLog) -> None:
        self._store = archive.store.below(_FOLDER)
        self._position_id = replays_id(archive.name)
        self._steps = steps

    @property
    def last(self) -> int:
        """The number of the last replay that has landed, or -1."""
        return self._steps.position(self._position_id)

    def lists(self, after: int = -1) -> ReplayLists:
        """Return the lists of the replays that have landed, those after a number; raise where one is lost."""
        last = self.last
        if last <= after:
            return ReplayLists(self._store, [])
        found = self._found()
        landed = [self._landed(number, found[number]) for number in range(after + 1, last + 1)]
        return ReplayLists(self._store, [_file(replay) for replay in landed])

    def _landed(self, number: int, replays: list[str]) -> str:
        """Return the replay that took a number; of several, only one was committed."""
        if len(replays) > 1:
            replays = [replay for replay in replays if self._steps.position(_commit_id(replay)) >= 0]
        if len(replays) != 1:
            raise StorageError(
                f"The list of the rows that replay {number} resolved is not in {self._store.url}.",
                hint="Restore the archive from a copy: without the list rows would land twice.",
            )
        return replays[0]

    def write(self, resolved: pa.Table) -> str:
        """Write the list of the next replay, durably, and return the replay's id.

        `resolved` has the lineage of the rows and `resolved_as`.
        """
        replay = f"{self.last + 1:08d}-{uuid.uuid4().hex}"
        rows = resolved.append_column(RESOLVED_FIELDS[0], pa.repeat(replay, resolved.num_rows))
        with self._store.create(_file(replay)) as file:
            pq.write_table(rows.select(RESOLVED_SCHEMA.names).cast(RESOLVED_SCHEMA), file)
        return replay

    def moves(self, replay: str) -> dict[str, Move]:
        """Return the moves by which a commit makes the replay's list count."""
        number = _number(replay)
        return {_commit_id(replay): Move(-1, 1), self._position_id: Move(number - 1, number)}

    def discard(self, replay: str) -> None:
        """Remove the list of a replay whose commit was refused."""
        self._store.remove(_file(replay))

    def clean(self) -> None:
        """Remove the lists that can never count any more, for their number is taken by another."""
        last = self.last
        for number, replays in self._found().items():
            if number > last or len(replays) == 1:
                continue
            kept = self._landed(number, replays)
            for replay in replays:
                if replay != kept:
                    self.discard(replay)

    def _found(self) -> defaultdict[int, list[str]]:
        found: defaultdict[int, list[str]] = defaultdict(list)
        for name in self._store.names(suffix=_SUFFIX):
            replay = name.removesuffix(_SUFFIX)
            found[_number(replay)].append(replay)
        return found


def _file(replay: str) -> str:
    return f"{replay}{_SUFFIX}"


def _number(replay: str) -> int:
    return int(replay.partition("-")[0])


def _commit_id(replay: str) -> str:
    return f"replay/{replay}"
