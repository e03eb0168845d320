"""The position that every rewrite of a table moves: of two rewrites at once one is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lake.commits import CommitLog
from schemas.errors import CommitConflictError, StorageError
from schemas.protocols import Move

_ATTEMPTS = 20  # each is a commit of somebody else that came first
_T = TypeVar("_T")


def next_turn(table: CommitLog | None, archive: str) -> dict[str, Move]:
    """Return the move that a rewrite makes, from the version that the table's handle is pinned to.

    None stands for a table that was not there yet: its first rewrite is meant.
    """
    app_id = f"{archive}/maintenance"
    last = -1 if table is None else table.position(app_id)
    return {app_id: Move(last, last + 1)}


def undisturbed(archive: str, action: Callable[[], _T], hint: str) -> _T:
    """Do something until nobody commits in between, and return what it does; `hint` says how to go on."""
    for _ in range(_ATTEMPTS):
        try:
            return action()
        except CommitConflictError:
            continue
    raise StorageError(f"Others changed {archive!r} {_ATTEMPTS} times while this was about to.", hint=hint)
