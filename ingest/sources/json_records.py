"""JSON to records: lines, documents, and the many records of one document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
from jsonpath import compile as compile_path

from ingest.records import Records, Refused
from ingest.sources.byte_stream import ByteStream
from ingest.sources.ids import checksums, fingerprint, record_ids
from ingest.sources.json_scan import JsonScanner
from ingest.sources.line_scan import scan_lines
from ingest.sources.pieces import Piece, Pieces, Problem, refused
from ingest.sources.places import Batch, Place, ReadLimits
from schemas.errors import DataError

_BOM = b"\xef\xbb\xbf"
_NOT_IN_JSON = (b"NaN", b"Infinity")  # but often in what is called so
_HEAD = 4096


class NdjsonReader:
    """Read lines of JSON objects (see reading.Reader)."""

    def __init__(self, stream: ByteStream, limits: ReadLimits, *, partial: bool) -> None:
        self._pieces = Pieces(stream, limits, partial=partial)
        self._pieces.drop(_BOM)
        first = self._pieces.first(scan_lines)
        self.fingerprint = None if first is None else fingerprint(first)

    def resume(self, place: Place) -> bool:
        """Go on at a place of an earlier reading; False where this is another file."""
        return self._pieces.resume(place)

    def batches(self, file: str) -> Iterator[Batch[Records]]:
        """Iterate over the records; their ids name the file so."""
        for piece in self._pieces.read(scan_lines):
            yield Batch(_records(piece, file), piece.end)


class JsonReader:
    """Read JSON documents, or the elements of arrays of them (see reading.Reader)."""

    def __init__(self, stream: ByteStream, limits: ReadLimits, *, partial: bool) -> None:
        self._stream = stream
        self._scan = JsonScanner(stream.shown, limits.record, elements=True)
        self._pieces = Pieces(stream, limits, partial=partial)
        self._pieces.drop(_BOM)
        self._is_array = stream.peek(_HEAD).lstrip().startswith(b"[")
        self._partial = partial
        first = self._pieces.first(self._scan)
        self.fingerprint = None if first is None else fingerprint(first)

    def resume(self, place: Place) -> bool:
        """Go on at a place of an earlier reading; False where this is another file."""
        return self._pieces.resume(place)

    def batches(self, file: str) -> Iterator[Batch[Records]]:
        """Iterate over the records; raise DataError at the end of an array that is cut off."""
        last = b"]"
        for piece in self._pieces.read(self._scan):
            last = piece.buffer[: piece.found.taken].rstrip()[-1:] or last
            yield Batch(_records(piece, file), piece.end)
        if self._is_array and last != b"]" and not self._partial:
            raise DataError(
                f"{self._stream.shown!r} is cut off: its array does not end.",
                hint="What it has was read. Restore the file, and publish it again.",
            )


class JsonPathReader:
    """Read the records at a path within JSON documents (see reading.Reader)."""

    def __init__(self, stream: ByteStream, path: str, limits: ReadLimits, *, partial: bool) -> None:
        self._path = compile_path(path)
        self._scan = JsonScanner(stream.shown, limits.document, elements=False)
        self._pieces = Pieces(stream, replace(limits, record=limits.document), partial=partial)
        self._pieces.drop(_BOM)
        head = stream.peek(_HEAD)
        self.fingerprint = fingerprint(head) if head else None

    def resume(self, place: Place) -> bool:
        """Go on at a place of an earlier reading; False where this is another file."""
        return self._pieces.resume(place)

    def batches(self, file: str) -> Iterator[Batch[Records]]:
        """Iterate over the records of each document; what is no JSON is refused whole."""
        reached = self._pieces.place
        for piece in self._pieces.read(self._scan):
            for index, content in enumerate(piece.contents()):
                if index == len(piece) - 1:
                    reached = piece.end
                yield Batch(self._records(content, f"{file}-{piece.first + index}"), reached)

    def _records(self, content: bytes, file: str) -> Records:
        document = parse_json(content)
        if isinstance(document, Problem):
            return json_records([], [], file, np.empty(0, np.int64), (refused(content, document),))
        found = [match.obj for match in self._path.finditer(document)]
        contents = [orjson.dumps(value) for value in found]
        return objects(found, contents, file)


def parse_json(content: bytes) -> Any:
    """Return what the text says, or the Problem with it. NaN and the infinities are read where they stand."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as exc:
        said = str(exc)
    if any(word in content for word in _NOT_IN_JSON):
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as exc:
            said = str(exc)
    return Problem("undecodable", f"The JSON does not read: {said.rstrip('.')}.")


def objects(values: Sequence[Any], contents: Sequence[bytes], file: str, first: int = 0) -> Records:
    """Return parsed values as records, numbered from `first`; what is no object is refused."""
    kept, faults = [], []
    for index, value in enumerate(values):
        if type(value) is dict:
            kept.append(index)
        elif isinstance(value, Problem):
            faults.append(refused(contents[index], value))
        else:
            problem = Problem("undecodable", f"The JSON is {_named(value)}, and an object is expected.")
            faults.append(refused(contents[index], problem))
    chosen = [contents[index] for index in kept]
    numbers = np.array(kept, np.int64) + first
    return json_records([values[index] for index in kept], chosen, file, numbers, tuple(faults))


def json_records(
    values: Sequence[Mapping[str, Any]],
    contents: Sequence[bytes],
    file: str,
    numbers: np.ndarray[Any, np.dtype[np.int64]],
    faults: tuple[Refused, ...] = (),
) -> Records:
    """Return objects as records with their ids."""
    ids = record_ids(file, numbers, checksums(contents, len(contents)))
    return Records(fields=values, ids=ids, raw=contents.__getitem__, refused=faults)


def _records(piece: Piece, file: str) -> Records:
    contents = piece.contents()
    if piece.found.problems:
        parsed = [piece.found.problems.get(index) or parse_json(one) for index, one in enumerate(contents)]
    else:
        parsed = _parse_all(contents)
    return objects(parsed, contents, file, piece.first)


def _parse_all(contents: Iterable[bytes]) -> list[Any]:
    loads = orjson.loads
    try:
        return [loads(content) for content in contents]
    except orjson.JSONDecodeError:
        return [parse_json(content) for content in contents]


def _named(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
