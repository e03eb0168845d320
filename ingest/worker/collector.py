"""Python's cycle collector, held back while a loop allocates much that holds no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_ALLOCATIONS = 200_000  # between two looks of the collector


@contextmanager
def collector_seldom() -> Iterator[None]:
    """Let the collector look less often: walking messages and events that hold no cycles costs much."""
    before = gc.get_threshold()
    gc.set_threshold(_ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
