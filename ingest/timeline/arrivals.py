"""Events one by one, as the timeline over a stream takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc

from ingest.timeline.events import STEP, Events
from ingest.timeline.held import Event
from ingest.timeline.refusals import EVENT_BYTES
from ingest.timeline.released import NOWHERE


def arrivals(events: Events, first_row: int) -> Iterator[Event]:
    """Iterate over events in the order of their arrival; their payload begins at a row of the store."""
    links = zip(*(keys.to_pylist() for keys in events.keys), strict=True) if events.keys else None
    steps = _step_values(events, first_row)
    columns = zip(
        events.time.tolist(),
        events.role.tolist(),
        events.which.tolist(),
        zip(events.source.to_pylist(), events.agent.to_pylist(), events.session.to_pylist(), strict=True),
        links or [()] * len(events),
        events.payload_row.tolist(),
        events.value.tolist(),
        strict=True,
    )
    for time, role, which, key, linked, row, value in columns:
        place, size, flags, has_next = steps[row] if role == STEP else _NO_STEP
        yield Event(time, 0, role, which, key, linked, size, place, flags, has_next, value, b"")


_NO_STEP: tuple[int, int, tuple[bool, bool], bool] = (NOWHERE, 0, (False, False), False)


def _step_values(events: Events, first_row: int) -> list[tuple[int, int, tuple[bool, bool], bool]]:
    """Return of each row of the payload: its number, its size, its flags, and if it knows what came next."""
    table = events.payload
    rows = range(first_row, first_row + table.num_rows)
    sizes = (events.payload_size + EVENT_BYTES).tolist()
    terminated, truncated = _booleans(table["terminated"]), _booleans(table["truncated"])
    knows = _booleans(pc.is_valid(table["next_observation"]))
    return list(zip(rows, sizes, zip(terminated, truncated, strict=True), knows, strict=True))


def _booleans(column: Any) -> list[bool]:
    listed: list[bool] = column.to_pylist()
    return listed
