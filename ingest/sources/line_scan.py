"""Lines: where the records of NDJSON are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.sources.pieces import Found

_NEWLINE, _RETURN = ord("\n"), ord("\r")


def scan_lines(buffer: bytes, at_end: bool) -> Found:
    """Find the lines that are not blank (see pieces.Scanner)."""
    ends = np.flatnonzero(octets(buffer) == _NEWLINE)
    found = spans_between(buffer, ends, at_end)
    blank = [
        index
        for index in np.flatnonzero(octets(buffer)[found.starts] <= ord(" ")).tolist()
        if buffer[found.starts[index] : found.ends[index]].isspace()
    ]
    if not blank:
        return found
    return Found(np.delete(found.starts, blank), np.delete(found.ends, blank), found.taken)


def spans_between(buffer: bytes, newlines: NDArray[np.int64], at_end: bool) -> Found:
    """Return what lies between these newlines, but for what is empty; at the end, what follows them, too."""
    taken = int(newlines[-1]) + 1 if len(newlines) else 0
    if at_end and taken < len(buffer):
        newlines = np.append(newlines, len(buffer))
        taken = len(buffer)
    starts = np.concatenate([np.zeros(1, np.int64), newlines[:-1] + 1])[: len(newlines)]
    ends = newlines
    if b"\r" in buffer:
        full = ends > starts
        ends = ends - (full & (octets(buffer)[np.maximum(ends - 1, 0)] == _RETURN))
    full = ends > starts
    if not full.all():
        starts, ends = starts[full], ends[full]
    return Found(starts, ends, taken)


def octets(buffer: bytes) -> NDArray[np.uint8]:
    """See the buffer as numbers."""
    return np.frombuffer(buffer, np.uint8)
