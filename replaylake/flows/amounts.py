"""How many steps are looked at together, and which may be compared."""

from __future__ import annotations

import pyarrow as pa

from lake import Archive, Snapshot
from schemas.errors import UsageError

MOST_ROWS = 500_000
PROBED = 1000  # rows that tell how wide others are
_MOST_BYTES = 256 << 20  # of steps that are in memory at a time, before what is computed of them
_FEWEST_ROWS = 1000


def rows_at_once(probe: pa.Table, most_rows: int = MOST_ROWS) -> int:
    """Return how many rows like these are in memory at a time: fewer where they are wide, such as images."""
    width = probe.nbytes / probe.num_rows if probe.num_rows else 1.0
    return min(most_rows, max(int(_MOST_BYTES / max(width, 1.0)), _FEWEST_ROWS))


def check_comparable(snapshot: Snapshot, archive: Archive) -> None:
    """Raise UsageError for a snapshot whose steps are not like an archive's."""
    held, spec = snapshot.spec, archive.spec
    if (held.observation, held.action, held.extras) != (spec.observation, spec.action, spec.extras):
        raise UsageError(
            f"The snapshot {snapshot.id} is of {held.name!r}, whose spaces are not those of {spec.name!r}.",
            hint="Give a snapshot of this archive, or of one with the same spaces.",
        )
