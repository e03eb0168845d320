"""Names of snapshots: `best` is easier to say than an id, and can be given to another one."""

from __future__ import annotations

import re

from lake.snapshots.log import DELETED, Document, StateLog
from lake.stores import Store
from schemas.errors import AlreadyExistsError, NotFoundError, UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_LIKE_AN_ID = re.compile(r".*-[0-9a-f]{12}")
_HELD = "snapshot"


class SnapshotNames:
    """Give snapshots names, each of which one snapshot of the lake has.

    Of two that take a name at once the first has it; of two that move it, the last.
    """

    def __init__(self, lake_store: Store) -> None:
        self._log = StateLog(lake_store.below(".snapshot-names"))  # no archive is called so

    @staticmethod
    def check(name: str) -> None:
        """Raise UsageError for a name that cannot be."""
        if not _NAME.fullmatch(name) or _LIKE_AN_ID.fullmatch(name):
            raise UsageError(
                f"A snapshot cannot be named {name!r}.",
                hint="Use lower-case letters, digits and . _ - (not first); what looks like an id is none.",
            )

    def give(self, name: str, snapshot_id: str, *, move: bool = False) -> None:
        """Give a name to a snapshot; `move` takes it from another one that has it.

        Raise AlreadyExistsError where another one has it, UsageError for a name that cannot be.
        """
        self.check(name)

        def given(held: Document | None) -> Document | None:
            if held is None or (move and held[_HELD] != snapshot_id):
                return {_HELD: snapshot_id}
            if held[_HELD] != snapshot_id:
                raise AlreadyExistsError(
                    "name", name, hint=f"{held[_HELD]} has it; it can be moved (--move) to {snapshot_id}."
                )
            return None

        self._log.change(name, given)

    def take(self, name: str) -> str:
        """Take a name away from its snapshot, which stays; return the id. Raise NotFoundError for no name."""
        snapshot_id = self.read(name)
        if snapshot_id is None:
            raise NotFoundError("name", name, known=self.all())
        self._log.change(name, lambda held: DELETED if held and held[_HELD] == snapshot_id else None)
        return snapshot_id

    def take_all(self, snapshot_id: str) -> list[str]:
        """Take away all names of a snapshot, and return them."""
        names = self.of(snapshot_id)
        for name in names:
            self._log.change(name, lambda held: DELETED if held and held[_HELD] == snapshot_id else None)
        return names

    def read(self, name: str) -> str | None:
        """Return the id of the snapshot that has a name, None where none has it."""
        held = self._log.read(name) if _NAME.fullmatch(name) else None
        return None if held is None else str(held[_HELD])

    def of(self, snapshot_id: str) -> list[str]:
        """Return the names of a snapshot."""
        return [name for name, held in self.all().items() if held == snapshot_id]

    def all(self) -> dict[str, str]:
        """Return all names, each with the id of its snapshot."""
        return {name: str(held[_HELD]) for name, held in self._log.all().items()}
