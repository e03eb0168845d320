"""The state of each snapshot, or each name: a file for each change of it, of which the newest counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from lake.files import read_json, write_json, write_json_once
from lake.stores import Store
from lake.tables import ArchiveTables
from schemas.errors import CommitConflictError, StorageError

_ATTEMPTS = 50  # each that fails is a change by somebody else
Document = dict[str, Any]
DELETED: Final[Document] = {"deleted": True}


class StateLog:
    """Change what is stored of things that have a folder each, one change of a thing at a time.

    A change is the file of the next number, which one writer gets and the others build upon. Files are never
    removed, or a number could be taken twice; what they said is, once there is a newer one.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def all(self) -> dict[str, Document]:
        """Return the states of those that are there."""
        found = {key: self.read(key) for key in self.store.folders()}
        return {key: state for key, state in found.items() if state is not None}

    def read(self, key: str) -> Document | None:
        """Return the state of one, None where there is none or it was deleted."""
        return _live(self._newest(key)[1])

    def changed_at(self, key: str) -> datetime:
        """Return when the state of one was stored that counts, by the clock of the store."""
        return self.store.look(_file(key, self._newest(key)[0])).modified

    def change(self, key: str, change: Callable[[Document | None], Document | None]) -> Document | None:
        """Store what `change` makes of the state, and return it; where it makes None nothing is changed.

        It is called again where somebody else was faster. The state `DELETED` is none.
        """
        for _ in range(_ATTEMPTS):
            number, document = self._newest(key)
            changed = change(_live(document))
            if changed is None:
                return _live(document)
            if self._put(_file(key, number + 1), changed):
                if number:
                    write_json(self.store, _file(key, number), {})
                return _live(changed)
        raise CommitConflictError(f"Others changed {key} first, {_ATTEMPTS} times.", hint="Try again.")

    def forget(self, key: str) -> None:
        """Empty the older states, also those that a process which died has left."""
        for name in self.store.names(key, ".json")[:-1]:
            if read_json(self.store, f"{key}/{name}"):
                write_json(self.store, f"{key}/{name}", {})

    def _put(self, name: str, document: Document) -> bool:
        """Store a state unless another is there; of one that is there and says the same it may be ours."""
        if write_json_once(self.store, name, document):
            return True
        # A store may do what it was asked, its answer get lost, and another try find the file there.
        return read_json(self.store, name) == document

    def _newest(self, key: str) -> tuple[int, Document | None]:
        looked_at = ""
        while names := self.store.names(key, ".json"):
            name = f"{key}/{names[-1]}"
            if name == looked_at:
                raise StorageError(
                    f"The file {self.store.uri(name)} is empty.", hint="Restore it from a copy."
                )
            looked_at = name
            if document := read_json(self.store, name):  # an empty one has a newer one by now
                return int(names[-1].partition(".")[0]), document
        return 0, None


def snapshot_log(archive: ArchiveTables) -> StateLog:
    """Return the states of an archive's snapshots, by id."""
    return StateLog(archive.store.below("snapshots"))


def unless_draft(document: Document | None) -> Document | None:
    """Return a snapshot's state, None for a draft: it is yet to be made, or who was making it has died."""
    return None if document is None or document["is_draft"] else document


def _live(document: Document | None) -> Document | None:
    return None if document == DELETED else document


def _file(key: str, number: int) -> str:
    return f"{key}/{number:08d}.json"
