"""The position that every rewrite of a table moves: of two rewrites at once one is refused."""

from __future__ import annotations

from lake.commits import CommitLog
from schemas.protocols import Move


def next_turn(table: CommitLog | None, archive: str) -> dict[str, Move]:
    """Return the move that a rewrite makes, from the version that the table's handle is pinned to.

    None stands for a table that was not there yet: its first rewrite is meant.
    """
    app_id = f"{archive}/maintenance"
    last = -1 if table is None else table.position(app_id)
    return {app_id: Move(last, last + 1)}
