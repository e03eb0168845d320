"""Where the values of a JSON text are: one document, several, or an array of them, of any length."""

from __future__ import annotations

import re

import numpy as np

from ingest.sources.pieces import Found
from schemas.errors import DataError
from schemas.shown import shown

# A string that does not end goes to the end of the buffer, so that nothing in it is taken for a bracket.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
_SCALAR = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[^\s,\[\]{}"]++|.', re.DOTALL)


class JsonScanner:
    """Find the values of a text (see pieces.Scanner).

    With `elements`, those of an array stand for themselves; without, the array is one value. A value that
    the text cuts off is not found, nor taken.
    """

    def __init__(self, what: str, limit: int, *, elements: bool) -> None:
        self._what = what
        self._limit = limit
        self._between = re.compile(rb"[\s,\[\]]*+" if elements else rb"[\s,]*+")
        self._openers = b"{" if elements else b"{["

    def __call__(self, buffer: bytes, at_end: bool) -> Found:
        """Return the values that are complete; raise DataError for one that is too long."""
        starts: list[int] = []
        ends: list[int] = []
        at = self._skip(buffer, 0)
        while at < len(buffer):
            end = self._end_of(buffer, at, at_end)
            if end is None:
                self._check_length(buffer, at)
                break
            starts.append(at)
            ends.append(end)
            at = self._skip(buffer, end)
        return Found(np.array(starts, np.int64), np.array(ends, np.int64), at)

    def _skip(self, buffer: bytes, at: int) -> int:
        match = self._between.match(buffer, at)
        return match.end() if match else at

    def _end_of(self, buffer: bytes, at: int, at_end: bool) -> int | None:
        """Return where the value that begins here ends, or None where the buffer ends first."""
        if buffer[at : at + 1] not in self._openers:
            match = _SCALAR.match(buffer, at)
            end = match.end() if match else at + 1
            return end if at_end or end < len(buffer) else None
        depth = 0
        for match in _TOKEN.finditer(buffer, at):
            sign = match[0]
            if sign in (b"{", b"["):
                depth += 1
            elif sign in (b"}", b"]"):
                depth -= 1
                if depth == 0:
                    return match.end()
        return None

    def _check_length(self, buffer: bytes, at: int) -> None:
        if len(buffer) - at > self._limit:
            raise DataError(
                f"{self._what!r} holds a JSON value of more than {self._limit:,} bytes, which begins with "
                f"{shown(buffer[at : at + 40].decode(errors='replace'))}.",
                hint="Write each record on a line of its own (NDJSON).",
            )
