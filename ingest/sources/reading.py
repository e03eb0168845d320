"""Reading: any source of records, from its start or from where an earlier reading stood."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Protocol

from ingest.records import Records
from ingest.sources.avro_records import AvroReader
from ingest.sources.byte_stream import STDIN, ByteStream, open_bytes
from ingest.sources.csv_table import CsvReader
from ingest.sources.formats import told
from ingest.sources.json_records import JsonPathReader, JsonReader, NdjsonReader
from ingest.sources.options import SourceOptions, check_readable
from ingest.sources.parquet_rows import ParquetReader
from ingest.sources.places import LIMITS, Batch, Place, R, ReadLimits
from schemas.errors import DataError, UsageError


class Reader(Protocol[R]):
    """Read one source, once."""

    @property
    def fingerprint(self) -> str | None:
        """What names the file, whatever it is called and however it grows; None while it has no record."""

    def resume(self, place: Place) -> bool:
        """Go on at a place of an earlier reading; False where this is another file, and is used up now."""

    def batches(self, file: str) -> Iterator[Batch[R]]:
        """Iterate over the records; their ids name the file so. Raise DataError where the bytes break off."""


def open_records(
    path: str, options: SourceOptions, *, start: Place | None = None, limits: ReadLimits = LIMITS
) -> Iterator[Records]:
    """Iterate over the records of a file, or of standard input for `-`, in bounded memory.

    What cannot be read as a record is among the `refused` of its batch. Raise NotFoundError and UsageError
    for a file that cannot be read, and DataError where it breaks off, or has no such `start`.
    """
    with open_reader(path, options, limits=limits) as reader:
        if start is not None and not reader.resume(start):
            raise DataError(f"{path!r} is not the file that was read before.", hint="Read it from its start.")
        for batch in reader.batches(file_name(reader, options)):
            yield batch.records


@contextmanager
def open_reader(
    path: str, options: SourceOptions, *, partial: bool = False, limits: ReadLimits = LIMITS
) -> Iterator[Reader[Records]]:
    """Open a source; with `partial`, what may still be growing at its end is left unread."""
    with open_bytes(path, options.compression) as stream:
        known = told(path, stream, options)
        with reader_over(stream, path, known, partial=partial, limits=limits) as reader:
            yield reader


@contextmanager
def reader_over(
    stream: ByteStream, path: str, options: SourceOptions, *, partial: bool, limits: ReadLimits
) -> Iterator[Reader[Records]]:
    """Open the reader of a stream whose format is known, which is that of the path."""
    check_readable(options, repr(path))
    if options.format == "parquet":
        with closing(_parquet(path, stream, limits)) as reader:
            yield reader
    else:
        yield _reader_of(stream, options, partial=partial, limits=limits)


def _reader_of(
    stream: ByteStream, options: SourceOptions, *, partial: bool, limits: ReadLimits
) -> Reader[Records]:
    if options.format == "csv":
        return CsvReader(stream, options.csv, limits, partial=partial)
    if options.format == "avro":
        return AvroReader(stream, limits)
    if options.format == "ndjson":
        return NdjsonReader(stream, limits, partial=partial)
    if options.records is not None:
        return JsonPathReader(stream, options.records, limits, partial=partial)
    return JsonReader(stream, limits, partial=partial)


def file_name(reader: Reader[object], options: SourceOptions) -> str:
    """Return what names the file in the ids of its records."""
    name = reader.fingerprint or ""
    return name if options.name is None else f"{options.name}/{name}"


def _parquet(path: str, stream: ByteStream, limits: ReadLimits) -> ParquetReader:
    if path == STDIN or not stream.seekable:
        raise UsageError(
            f"Parquet cannot be read from {stream.shown!r}.",
            hint="Its end has to be read first: give a file that is not compressed.",
        )
    return ParquetReader(path, limits)
