"""A stream of bytes in pieces that end where a record ends, whatever the size of the file.

What a record is, a scanner says. Where pieces are cut never shows in the records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.records import Refused
from ingest.sources.byte_stream import ByteStream
from ingest.sources.places import KEPT, MARKED, Place, ReadLimits, mark_of
from schemas.errors import DataError
from schemas.shown import shown

TOO_LONG = "too_long"
_HEAD = 16 << 10


class Problem(NamedTuple):
    """Say why the bytes of a record are none: a short code, and a line for people."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Hold where the records of a buffer are; `taken` is where the next one may begin."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]  # without the line's end
    taken: int
    problems: Mapping[int, Problem] = field(default_factory=dict)  # by record
    is_plain: bool = True  # every quote stands where it should


class Scanner(Protocol):
    """Find the records of a buffer that begins where a record may begin."""

    def __call__(self, buffer: bytes, at_end: bool) -> Found:
        """Return the records that are complete; at the end of the bytes, the last one is."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Hold records as bytes."""

    buffer: bytes
    found: Found
    first: int  # number of the first record in the file
    end: Place

    def __len__(self) -> int:
        return len(self.found.starts)

    def raw(self, index: int) -> bytes:
        """Return the bytes of a record, as they came."""
        return self.buffer[self.found.starts[index] : self.found.ends[index]]

    def contents(self) -> list[bytes]:
        """Return the bytes of every record."""
        buffer = self.buffer
        spans = zip(self.found.starts.tolist(), self.found.ends.tolist(), strict=True)
        return [buffer[start:end] for start, end in spans]


def refused(raw: bytes, problem: Problem) -> Refused:
    """Return a record that became no step; of a long one only the first bytes are kept."""
    if len(raw) <= KEPT:
        return Refused(raw, *problem)
    return Refused(raw[:KEPT], problem.reason, f"{problem.detail} Its first {KEPT:,} bytes are kept.")


class Pieces:
    """Read a stream record by record, from its start or from a place of an earlier reading."""

    def __init__(self, stream: ByteStream, limits: ReadLimits, *, partial: bool) -> None:
        """Take a stream; with `partial` its last record may still be growing, and is left."""
        self._stream = stream
        self._limits = limits
        self._partial = partial
        self._place = Place()
        self._before = b""  # the bytes before the place, by which it is marked
        self._is_done = False

    def first(self, scan: Scanner) -> bytes | None:
        """Return the first record that is to come, and leave it; None where there is none yet."""
        ahead, start, end = self._look_for_first(scan)
        return ahead[start:end] if end else None

    def take(self, scan: Scanner) -> bytes | None:
        """Take the first record that is to come, such as a header, which is not counted."""
        ahead, start, end = self._look_for_first(scan)
        if not end:
            return None
        self._pass(end)
        return ahead[start:end]

    def _look_for_first(self, scan: Scanner) -> tuple[bytes, int, int]:
        """Return the bytes ahead, and where the first record in them is; of a long one, its beginning."""
        size = _HEAD
        while True:
            ahead = self._stream.peek(size)
            at_end = len(ahead) < size
            found = scan(ahead, at_end and not self._partial) if ahead else None
            if found is not None and len(found.starts):
                return ahead, int(found.starts[0]), int(found.ends[0])
            if at_end:
                return b"", 0, 0
            if size > self._limits.record:
                return ahead, 0, self._limits.record
            size *= 4

    def drop(self, prefix: bytes) -> None:
        """Take a prefix such as a byte order mark, where the stream has it."""
        if self._stream.peek(len(prefix)) == prefix:
            self._pass(len(prefix))

    def _pass(self, size: int) -> None:
        while size:
            got = self._stream.read(size)
            self._before = (self._before + got)[-MARKED:]
            size -= len(got)
        self._place = Place(self._stream.position, 0)

    def resume(self, place: Place) -> bool:
        """Go on at a place; False where the stream is not the one of which it was, and is used up now."""
        if place.offset < self._stream.position:
            return False
        got = self._stream.skip_to(place.offset, MARKED)
        if got is None or mark_of(self._before + got) != place.mark:
            return False
        self._before = (self._before + got)[-MARKED:]
        self._place = replace(place, open=0)
        if place.open:
            self._go_on_behind(place)
        return True

    def _go_on_behind(self, place: Place) -> None:
        """Tell whether the last record, which had no newline, was whole: then it is not read again."""
        ahead = self._stream.peek(place.open + 1)
        if len(ahead) <= place.open:
            self._is_done = True
            self._place = place
        elif ahead[-1:] in b"\r\n":
            self._before = (self._before + self._stream.read(place.open))[-MARKED:]
            self._place = Place(self._stream.position, place.record + 1, mark_of(self._before))

    @property
    def place(self) -> Place:
        """Where the reading stands."""
        return self._place

    def read(self, scan: Scanner) -> Iterator[Piece]:
        """Iterate over the records from here on."""
        carry = b""
        while not self._is_done:
            # A long record is read in ever larger parts, so that it is not looked through again and again.
            got = self._stream.read(max(self._limits.chunk, len(carry)))
            self._is_done = not got
            buffer = carry + got
            if not buffer or (self._partial and not got):
                return
            found = scan(buffer, not got)
            if found.taken:
                yield self._piece(buffer, found)
            carry = buffer[found.taken :]
            if carry and not got:
                raise self._broken(carry)
            if len(carry) > self._limits.record:
                long, carry = self._skipped(carry)
                if long is not None:
                    yield long

    def _broken(self, carry: bytes) -> DataError:
        begins = shown(carry[:40].decode(errors="replace"))
        return DataError(
            f"{self._stream.shown!r} is cut off within a record that begins with {begins}, "
            f"at byte {self._place.offset:,}.",
            hint="What came before it was read. Restore the file, and publish it again.",
        )

    def _piece(self, buffer: bytes, found: Found) -> Piece:
        number = self._place.record
        count = len(found.starts)
        offset = self._place.offset + found.taken
        is_open = self._is_done and count and not buffer.endswith(b"\n")
        last = int(found.starts[-1]) if is_open else found.taken
        before = (self._before + buffer[max(0, last - MARKED) : last])[-MARKED:]
        end = Place(offset, number + count, mark_of(before))
        if is_open:
            end = Place(offset - found.taken + last, number + count - 1, end.mark, found.taken - last)
        self._place, self._before = end, before
        return Piece(buffer, self._with_long_ones(found), number, end)

    def _with_long_ones(self, found: Found) -> Found:
        lengths = found.ends - found.starts
        long = np.flatnonzero(lengths > self._limits.record).tolist()
        if not long:
            return found
        problems = {index: too_long(int(lengths[index]), self._limits.record) for index in long}
        return replace(found, problems={**found.problems, **problems})

    def _skipped(self, carry: bytes) -> tuple[Piece | None, bytes]:
        """Pass over a line that is too long to be held; return it, and what was read behind it."""
        kept, size, tail = carry[: KEPT + 1], len(carry), carry[-MARKED:]
        newline = rest = b""
        while not newline and (got := self._stream.read(self._limits.chunk)):
            line, newline, rest = got.partition(b"\n")
            kept += line[: KEPT + 1 - len(kept)]
            size += len(line)
            tail = (tail + line)[-MARKED:]
        self._is_done = not newline
        if not newline and self._partial:
            return None, b""
        self._before = tail
        number = self._place.record
        self._place = Place(self._place.offset + size, number + 1, mark_of(tail))
        problem = too_long(size - tail.endswith(b"\r"), self._limits.record)
        found = Found(np.zeros(1, np.int64), np.array([len(kept)]), size, {0: problem})
        return Piece(kept, found, number, self._place), newline + rest


def too_long(size: int, most: int) -> Problem:
    """Say that a record is too long."""
    return Problem(TOO_LONG, f"The record has {size:,} bytes, and {most:,} is the most.")
