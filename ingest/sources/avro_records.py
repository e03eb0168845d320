"""Avro: object container files, and messages. Needs fastavro, which the extra `avro` brings."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ingest.records import Records
from ingest.sources.byte_stream import ByteStream
from ingest.sources.ids import checksums, fingerprint, record_ids
from ingest.sources.places import Batch, Place, ReadLimits, mark_of
from ingest.sources.plain_values import content_of, plain
from schemas.errors import DataError, NotFoundError, UsageError

AVRO_MAGIC = b"Obj\x01"
_NOT_PLAIN = ('"bytes"', '"fixed"', '"logicalType"')
# What fastavro raises for bytes that are not what their schema says, and it raises many things.
_TORN = (ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, StopIteration, MemoryError)

Fields = Mapping[str, Any]


def fastavro() -> Any:
    """Return the library; raise UsageError where it is not installed."""
    try:
        import fastavro
    except ImportError as exc:
        raise UsageError(
            "Avro is read with fastavro, which is not installed.", hint="pip install 'replaylake[avro]'"
        ) from exc
    return fastavro


@dataclass(frozen=True, slots=True)
class _Block:
    end: int
    records: list[Fields]


class AvroReader:
    """Read an object container file, a block after the other (see reading.Reader)."""

    def __init__(self, stream: ByteStream, limits: ReadLimits) -> None:
        """Read the header; raise DataError where it is none."""
        self._stream = stream
        self._limits = limits
        self._start = Place()
        try:
            blocks = fastavro().block_reader(_Exactly(stream))
            schema = json.dumps(blocks.writer_schema, sort_keys=True, default=str)
            self._read = (_Block(block.offset + block.size, list(block)) for block in blocks)
            first = next((block for block in self._read if block.records), None)
        except _TORN as exc:
            raise self._torn(exc) from exc
        self._to_plain = _plain_for(schema)
        self._mark = mark_of(schema.encode())
        self._first = first
        self.fingerprint = (
            fingerprint(schema.encode(), content_of(first.records[0])) if first is not None else None
        )

    def resume(self, place: Place) -> bool:
        """Go on at a place of an earlier reading; False where this is another file."""
        self._start = place
        return place.mark == self._mark

    def batches(self, file: str) -> Iterator[Batch[Records]]:
        """Iterate over the records; their ids name the file so."""
        number = 0
        try:
            for block in chain([self._first] if self._first else [], self._read):
                first, number = number, number + len(block.records)
                if number > self._start.record:
                    end = Place(block.end, number, self._mark)
                    yield Batch(self._records(block.records, file, first), end)
        except _TORN as exc:
            raise self._torn(exc) from exc

    def _records(self, records: Sequence[Fields], file: str, first: int) -> Records:
        contents = [content_of(record) for record in records]
        return Records(
            fields=[self._to_plain(record) for record in records],
            ids=record_ids(file, np.arange(len(records)) + first, checksums(contents, len(contents))),
            raw=contents.__getitem__,
        )

    def _torn(self, exc: BaseException) -> DataError:
        return DataError(
            f"{self._stream.shown!r} does not read as Avro, at byte {self._stream.position:,}: "
            f"{str(exc).rstrip('.') or type(exc).__name__}.",
            hint="What came before it was read. Restore the file, and publish it again.",
        )


class AvroDecoder:
    """Read the records of messages: bare ones by a schema, and object containers by their own.

    Before a bare record may stand the five bytes of Confluent's framing, whose schema is taken to be the
    one that was given.
    """

    def __init__(self, schema: Path | Mapping[str, Any] | None) -> None:
        """Read the schema; raise UsageError for one that is not possible."""
        self._library = fastavro()
        self._schema: Any = None
        if schema is None:
            return
        content = _read_schema(schema) if isinstance(schema, Path) else dict(schema)
        try:
            self._schema = self._library.parse_schema(content)
        except Exception as exc:  # UnknownType, SchemaParseException, and whatever a wrong shape makes
            raise UsageError(f"The Avro schema is not possible: {exc}.", hint="Mend `avro_schema`.") from exc
        self._to_plain = _plain_for(json.dumps(content))

    def decode(self, value: bytes) -> list[Fields]:
        """Return the records of a message; raise DataError where it does not read."""
        try:
            if value.startswith(AVRO_MAGIC):
                reader = self._library.reader(io.BytesIO(value))
                return [plain(record) for record in reader]
            return [self._decode_bare(value)]
        except _TORN as exc:
            raise DataError(f"The Avro does not read: {str(exc).rstrip('.') or type(exc).__name__}.") from exc

    def _decode_bare(self, value: bytes) -> Fields:
        if self._schema is None:
            raise ValueError("it brings no schema, and `avro_schema` of the source names none")
        if value[:1] == b"\0" and len(value) > _FRAME:
            try:
                return self._read(value[_FRAME:])
            except _TORN:  # a record may begin with a zero, too
                return self._read(value)
        return self._read(value)

    def _read(self, value: bytes) -> Fields:
        file = io.BytesIO(value)
        record: Any = self._library.schemaless_reader(file, self._schema, None)
        if file.tell() != len(value):
            raise ValueError(f"{len(value) - file.tell()} bytes are left behind the record")
        if not isinstance(record, dict):
            raise ValueError(f"it holds a {type(record).__name__}, and a record is expected")
        found: Fields = self._to_plain(record)
        return found


_FRAME = 5


class _Exactly:
    """Show a stream to fastavro, which takes a short read for the end."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        gathered = self._stream.read(size)
        while 0 < len(gathered) < size and (got := self._stream.read(size - len(gathered))):
            gathered += got
        return gathered

    def tell(self) -> int:
        return self._stream.position


def _plain_for(schema: str) -> Callable[[Fields], Fields]:
    """Return what makes JSON's values of a record of the schema: nothing has to be done for most."""
    return plain if any(word in schema for word in _NOT_PLAIN) else lambda record: record


def _read_schema(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as exc:
        raise NotFoundError("Avro schema", str(path)) from exc
    except (OSError, ValueError) as exc:
        raise UsageError(f"The Avro schema {str(path)!r} does not read: {exc}.", hint="Mend it.") from exc
