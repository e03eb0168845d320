"""Lines of JSON as they are, for archives whose steps the files hold already: nothing is parsed or judged."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from ingest.records import Refused
from ingest.sources.byte_stream import ByteStream
from ingest.sources.ids import fingerprint
from ingest.sources.line_scan import scan_lines
from ingest.sources.options import SourceOptions
from ingest.sources.pieces import Pieces, refused
from ingest.sources.places import MARKED, Batch, Place, ReadLimits, mark_of
from ingest.sources.reading import Reader
from schemas.errors import DataError

_BOM = b"\xef\xbb\xbf"
_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"\s*")
_HEAD = 4096
_AT_ONCE = 10_000  # lines


@dataclass(frozen=True, slots=True)
class Lines:
    """Hold lines, and those that no message can hold."""

    whole: list[bytes]
    refused: tuple[Refused, ...] = ()


class RawLineReader:
    """Read lines, good or bad (see reading.Reader)."""

    def __init__(self, stream: ByteStream, limits: ReadLimits, *, partial: bool) -> None:
        self._pieces = Pieces(stream, limits, partial=partial)
        self._pieces.drop(_BOM)
        first = self._pieces.first(scan_lines)
        self.fingerprint = None if first is None else fingerprint(first)

    def resume(self, place: Place) -> bool:
        """Go on at a place of an earlier reading; False where this is another file."""
        return self._pieces.resume(place)

    def batches(self, file: str) -> Iterator[Batch[Lines]]:
        """Iterate over the lines; one that is too long is refused."""
        for piece in self._pieces.read(scan_lines):
            contents, problems = piece.contents(), piece.found.problems
            long = tuple(refused(contents[index], problem) for index, problem in problems.items())
            whole = [line for index, line in enumerate(contents) if index not in problems]
            yield Batch(Lines(whole, long), piece.end)


class RawDocumentReader:
    """Read JSON whole: one object, several, or an array of them, each as it is written, in one line."""

    def __init__(self, stream: ByteStream, limits: ReadLimits) -> None:
        self._stream = stream
        self._limits = limits
        head = stream.peek(_HEAD)
        self.fingerprint = fingerprint(head) if head.strip() else None
        self._skipped = 0

    def resume(self, place: Place) -> bool:
        """Go on at a place of an earlier reading: where there is more now, all of it is read again."""
        before = self._stream.skip_to(place.offset, MARKED)
        self._skipped = place.offset
        return before is not None and mark_of(before) == place.mark and not self._stream.peek(1)

    def batches(self, file: str) -> Iterator[Batch[Lines]]:
        """Iterate over the objects; raise DataError for broken JSON before one of them came."""
        if self._skipped:
            return
        parts: list[bytes] = []
        while got := self._stream.read(self._limits.chunk):
            parts.append(got)
            if sum(map(len, parts)) > self._limits.document:
                raise DataError(
                    f"{self._stream.shown!r} is JSON of more than {self._limits.document:,} bytes.",
                    hint="Write each record on a line of its own (NDJSON): that is read whatever its size.",
                )
        content = b"".join(parts)
        end = Place(len(content), 0, mark_of(content))
        lines = list(split_json(content.removeprefix(_BOM), self._stream.shown))
        for start in range(0, len(lines), _AT_ONCE):
            chosen = lines[start : start + _AT_ONCE]
            last = start + _AT_ONCE >= len(lines)
            yield Batch(Lines(chosen), replace(end, record=len(lines)) if last else Place())


def raw_reader_of(
    stream: ByteStream, options: SourceOptions, *, partial: bool, limits: ReadLimits
) -> Reader[Lines]:
    """Return the reader of the lines or documents of a stream."""
    if options.format == "ndjson":
        return RawLineReader(stream, limits, partial=partial)
    return RawDocumentReader(stream, limits)


def split_json(content: bytes, shown: str) -> Iterator[bytes]:
    """Return the objects of a JSON text, each as it is written, in one line."""
    try:
        text = content.decode()
        spans = list(_spans(text))
    except (ValueError, RecursionError) as exc:
        raise DataError(
            f"{shown!r} is not JSON: {exc}. Nothing of it was sent.",
            hint="Mend it there, or where it is NDJSON say --format ndjson.",
        ) from exc
    for start, end in spans:
        # A line's end within a JSON text is white space: in a string it would be written \\n.
        yield text[start:end].replace("\n", " ").replace("\r", " ").encode()


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Find where each object of the text, or of the arrays in it, starts and ends; raise ValueError."""
    at = _skip(text, 0)
    while at < len(text):
        if text[at] == "[":
            at = yield from _elements(text, _skip(text, at + 1))
        else:
            end = _DECODER.raw_decode(text, at)[1]
            yield at, end
            at = end
        at = _skip(text, at)


def _elements(text: str, at: int) -> Generator[tuple[int, int], None, int]:
    """Find the elements of the array whose first one is at `at`; return where the array ends."""
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        end = _DECODER.raw_decode(text, at)[1]
        yield at, end
        at = _skip(text, end)
        if text[at : at + 1] == "]":
            return at + 1
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' or ']'", text, at)
        at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at
