"""Batches of events put together, as the timeline in bulk takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.timeline.events import Events
from schemas.archive_spec import ArchiveSpec
from schemas.step import wire_schema


def join_events(parts: Sequence[Events], archive: ArchiveSpec) -> Events:
    """Put batches of events together, in their order."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *map(len, parts)])
    rows = np.cumsum([0, *(part.payload.num_rows for part in parts)])

    def raw(row: int) -> bytes:
        place = int(np.searchsorted(starts, row, "right")) - 1
        return parts[place].raw(row - int(starts[place]))

    def texts(name: str) -> pa.StringArray:
        return pa.concat_arrays([getattr(part, name) for part in parts] or [pa.array([], pa.string())])

    def numbers(name: str, kind: type[np.generic]) -> NDArray[Any]:
        return np.concatenate([np.zeros(0, kind), *(getattr(part, name) for part in parts)])

    moved = [
        np.where(part.payload_row < 0, -1, part.payload_row + first)
        for part, first in zip(parts, rows, strict=False)
    ]
    keys = zip(*(part.keys for part in parts), strict=True)
    return Events(
        time=numbers("time", np.int64),
        role=numbers("role", np.int8),
        which=numbers("which", np.int16),
        source=texts("source"),
        agent=texts("agent"),
        session=texts("session"),
        event_id=texts("event_id"),
        keys=tuple(pa.concat_arrays(one) for one in keys),
        value=numbers("value", np.float64),
        payload=pa.concat_tables([wire_schema(archive).empty_table(), *(part.payload for part in parts)]),
        payload_row=np.concatenate([np.zeros(0, np.int64), *moved]),
        payload_size=numbers("payload_size", np.int64),
        faults={
            row + int(first): fault
            for part, first in zip(parts, starts, strict=False)
            for row, fault in part.faults.items()
        },
        raw=raw,
    )
