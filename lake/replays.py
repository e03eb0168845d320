"""Replays: land rows of quarantine in the steps table, once, whoever else lands and whatever dies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from lake.cold import StepsTables
from lake.maintenance.tombstones import Tombstones
from lake.quarantine import QuarantineChoice, unresolved_batches
from lake.replay_log import ROW_IDENTITY, ReplayLog
from lake.tables import ArchiveTables
from schemas.errors import CommitConflictError
from schemas.step import KEY_COLUMNS, quarantine_schema, wire_schema


@dataclass(frozen=True, slots=True)
class LandedFile:
    """Read one file of the steps table: its keys first, and of its rows those that are asked for."""

    steps: StepsTables
    name: str
    date: str
    wire_columns: tuple[str, ...]

    def keys(self) -> pa.Table:
        """Return the key columns."""
        return self.steps.read(self.name, KEY_COLUMNS)

    def rows(self, chosen: NDArray[np.bool_]) -> pa.Table:
        """Return the wire columns of the rows that a mask over `keys` chooses."""
        return self.steps.read(self.name, self.wire_columns).filter(pa.array(chosen))


class ReplayLanding:
    """Land rows that quarantine holds. One thread drives it.

    A commit is made onto the version of the steps table that was looked at, or not at all. So nothing that
    others landed is overlooked: neither a row of the same key, nor a replay of the same rows.
    """

    def __init__(self, archive: ArchiveTables) -> None:
        self._spec = archive.spec
        self._landed = StepsTables(archive)
        self._steps = self._landed.hot
        self._quarantine = archive.table("quarantine")
        self._log = ReplayLog(archive, self._steps)
        self._tombstones = Tombstones(archive)
        self._log.clean()

    def refresh(self) -> None:
        """See the newest version of the steps table."""
        self._landed.refresh()

    def batches(self, choice: QuarantineChoice, rows: int) -> Iterator[pa.Table]:
        """Iterate over the unresolved rows that are meant, as of now, in batches of the quarantine's columns.

        Ask `still_open` before landing: another replay may have been faster.
        """
        schema = quarantine_schema(self._spec)
        self._looked_at = self._log.last
        for found in unresolved_batches(self._quarantine, self._log.lists(), choice, rows):
            yield found.select(schema.names).cast(schema)

    def still_open(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Say which rows no replay has resolved since `batches` was called, and no erasure has taken."""
        self._tombstones.read()
        open_ = ~self._tombstones.erased(rows)
        for identities in self._log.lists(self._looked_at).read():
            listed = pl.DataFrame(identities)
            held = pl.DataFrame(rows.select(ROW_IDENTITY)).with_row_index("place")
            open_[held.join(listed, on=ROW_IDENTITY, how="semi")["place"].to_numpy()] = False
        return open_

    def files_of(self, dates: Iterable[str], seen: set[str]) -> Iterator[LandedFile]:
        """Iterate over the steps' files of event dates but for those seen, and add them to the seen."""
        for date in dates:
            for name in self._landed.file_names(f"date = '{date}'"):
                if name not in seen:
                    seen.add(name)
                    yield LandedFile(self._landed, name, date, tuple(wire_schema(self._spec).names))

    def commit(self, rows: pa.Table, resolved: pa.Table, metadata: Mapping[str, str]) -> str:
        """Land rows, none at all too, and resolve rows of quarantine; return the replay's id.

        Raise CommitConflictError where anybody has landed anything since the last `refresh`: nothing of
        this is visible then.
        """
        replay = self._log.write(resolved)
        said = {**metadata, "replaylake.origin": "replay", "replaylake.replay": replay}
        try:
            self._steps.append(rows, self._log.moves(replay), said, onto=self._steps.version)
        except CommitConflictError:
            self._log.discard(replay)
            raise
        return replay
