"""Snapshots: an immutable choice of steps with an id and its own list of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa

from lake.cold import StepsTables
from lake.snapshots.choice import Choice
from lake.snapshots.contents import check_columns, chosen_keys, keys_in, open_contents
from lake.snapshots.episode_keys import read_keys
from lake.snapshots.episodes import choose_episodes
from lake.snapshots.log import Document, snapshot_log, unless_draft
from lake.snapshots.making import describe, keep
from lake.snapshots.marks import Erasure, Pin, erasure_from_json, mark_to_json, pin_from_json
from lake.snapshots.splits import parts
from lake.tables import ArchiveTables
from lake.views import quoted
from schemas.archive_spec import ArchiveSpec
from schemas.errors import CommitConflictError, UsageError

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Describe a snapshot. Equal ids mean equal files and an equal choice, but for what was erased since.

    Pins and erasures are those of when it was opened.
    """

    id: str
    archive: ArchiveTables
    version: int
    choice: Choice
    files: tuple[str, ...]  # relative to the archive's steps table
    rows: int
    episodes: int  # of one agent each
    bytes: int  # of the files, with rows in them that were not chosen
    created_at: datetime
    keys: str | None = None  # the file with the keys of the chosen episodes, where these are chosen
    erasures: tuple[Erasure, ...] = ()
    pins: tuple[Pin, ...] = ()

    @property
    def spec(self) -> ArchiveSpec:
        """The spec of the archive that the steps are from."""
        return self.archive.spec

    @property
    def where(self) -> str | None:
        """The condition that each step was chosen by, None without one; it need not be the whole choice."""
        return self.choice.where

    @property
    def condition(self) -> str:
        """The SQL condition by which the snapshot's rows are chosen in its own connection."""
        return self.choice.condition

    @property
    def is_whole(self) -> bool:
        """Whether every row of the files is chosen."""
        return self.condition == "true"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that were chosen, those of the key among them; all of the table's without a choice."""
        return self.choice.columns or tuple(self.archive.table("steps").schema.names)

    @property
    def query(self) -> str:
        """The SQL that selects the snapshot's rows and columns in its own connection."""
        shown = "*" if self.choice.columns is None else ", ".join(map(quoted, self.choice.columns))
        return f"select {shown} from snapshot.steps where {self.condition}"

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open a connection whose view `snapshot.steps` holds the snapshot's files, unfiltered."""
        return open_contents(StepsTables(self.archive), self.files, self.read_keys())

    def read_keys(self) -> pa.Table | None:
        """Return the keys of the chosen episodes, None where episodes were not chosen."""
        return None if self.keys is None else read_keys(snapshot_log(self.archive).store, self.keys)

    def split(
        self, train: float = 0.8, validation: float = 0.1, test: float = 0.1, *, seed: int = 0
    ) -> dict[str, Snapshot]:
        """Store the parts of the snapshot as snapshots of their own, by name; one with a share of 0 is none.

        An episode, with all its agents, is in one part for ever: a hash of its source and its id says in
        which. A row without an episode goes by its own key. Raise UsageError for shares that do not
        add up to 1, QueryError for a part that would hold nothing.
        """
        if self.choice.part is not None:
            raise UsageError(
                f"The snapshot {self.id} is a part of {self.choice.part.of} already.",
                hint="Split that one again, with other shares or another seed.",
            )
        table = StepsTables(self.archive)
        chosen = chosen_keys(table, self.files, self.choice, self.read_keys())
        described = []
        for part in parts(self.id, train, validation, test, seed):
            keys, choice = keys_in(part, chosen), replace(self.choice, part=part)
            described.append((part, *describe(self.archive, table, self.files, choice, keys)))
        made = {}  # only now: either all can be stored, or none is
        for part, document, keys in described:
            kept = keep(self.archive, document, keys, lambda: self._is_as_it_was)
            if kept is None:
                raise CommitConflictError(
                    f"The snapshot {self.id} was deleted, or rows of it erased, meanwhile.",
                    hint="Open it again, and split what it is now.",
                )
            made[part.name] = Snapshot.from_json(self.archive, kept)
        return made

    @property
    def _is_as_it_was(self) -> bool:
        stored = unless_draft(snapshot_log(self.archive).read(self.id))
        return stored is not None and tuple(stored["files"]) == self.files

    def to_json(self) -> Document:
        """Return what is stored of the snapshot."""
        return {
            "id": self.id,
            "archive": self.archive.name,
            "version": self.version,
            **self.choice.to_json(),
            "files": list(self.files),
            "rows": self.rows,
            "episodes": self.episodes,
            "bytes": self.bytes,
            "created_at": self.created_at.isoformat(),
            "keys": self.keys,
            "erasures": [mark_to_json(erasure) for erasure in self.erasures],
            "pins": [mark_to_json(pin) for pin in self.pins],
        }

    @classmethod
    def from_json(cls, archive: ArchiveTables, content: Mapping[str, Any]) -> Snapshot:
        """Read a snapshot from what is stored of it."""
        return cls(
            content["id"],
            archive,
            content["version"],
            Choice.from_json(content),
            tuple(content["files"]),
            content["rows"],
            content["episodes"],
            content["bytes"],
            datetime.fromisoformat(content["created_at"]),
            content["keys"],
            tuple(map(erasure_from_json, content["erasures"])),
            tuple(map(pin_from_json, content["pins"])),
        )


def create_snapshot(
    archive: ArchiveTables,
    where: str | None = None,
    *,
    episodes: str | None = None,
    any_step: str | None = None,
    all_steps: str | None = None,
    columns: Sequence[str] | None = None,
) -> Snapshot:
    """Keep the accepted steps of now, or those that are chosen; an equal choice gives the same id again.

    `where` chooses steps. `episodes` chooses whole episodes by what is known of each, `any_step` and
    `all_steps` by their steps; they are kept by name, whatever an audit finds later. Raise QueryError for a
    condition that is not one expression, or a choice of nothing.
    """
    for _ in range(_ATTEMPTS):
        table = StepsTables(archive)
        chosen = None if columns is None else check_columns(table, columns)
        choice = Choice(where, episodes, any_step, all_steps, chosen)
        names = table.file_names()
        keys = choose_episodes(archive, table, names, choice) if choice.is_by_episode else None
        described, keys = describe(archive, table, names, choice, keys)
        files = set(described["files"])
        # A file that a rewrite took out meanwhile may be removed by who did not see our snapshot yet.
        kept = keep(archive, described, keys, partial(_are_in_use, archive, files))
        if kept is not None:
            return Snapshot.from_json(archive, kept)
    raise CommitConflictError(
        f"The files of {archive.name!r} were rewritten meanwhile, {_ATTEMPTS} times.", hint="Try again."
    )


def _are_in_use(archive: ArchiveTables, files: set[str]) -> bool:
    return files <= set(StepsTables(archive).file_names())
