"""What a file holds: by what was said, by its name, by its first bytes."""

from __future__ import annotations

import os
from typing import get_args

from ingest.sources.avro_records import AVRO_MAGIC
from ingest.sources.byte_stream import ByteStream, plain_name
from ingest.sources.json_records import parse_json
from ingest.sources.options import Format, SourceOptions
from ingest.sources.pieces import Problem
from schemas.errors import UsageError

_BY_NAME: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".avro": "avro",
}
_BOM = b"\xef\xbb\xbf"
_FIRST_LINE = 16 << 10
_LONGEST_LINE = 16 << 20
_PARQUET_MAGIC = b"PAR1"


def is_known(path: str) -> bool:
    """Say whether a file's name tells its format."""
    return _ending(path) in _BY_NAME


def told(path: str, stream: ByteStream, options: SourceOptions) -> SourceOptions:
    """Return the options with the format, and what else a file's name says; raise UsageError for neither.

    `.json` is looked into: many call lines of JSON so.
    """
    named = _BY_NAME.get(_ending(path))
    if _ending(path) == ".tsv" and options.csv.delimiter == ",":
        options = options.model_copy(update={"csv": options.csv.model_copy(update={"delimiter": "\t"})})
    if options.format is not None:
        return options
    found = named if named not in (None, "json") else _by_bytes(stream, options, named)
    return options.as_format(found)


def _by_bytes(stream: ByteStream, options: SourceOptions, named: Format | None) -> Format:
    head = stream.peek(len(_PARQUET_MAGIC))
    if head == _PARQUET_MAGIC:
        return "parquet"
    if head == AVRO_MAGIC:
        return "avro"
    text = _with_first_line(stream)
    if options.records is not None or text[:1] in (b"[", b""):
        return "json"
    if text[:1] == b"{":
        first, newline, _ = text.partition(b"\n")
        return "json" if newline and isinstance(parse_json(first), Problem) else "ndjson"
    if named is not None:
        return named
    shown = text.partition(b"\n")[0][:30].decode(errors="replace").strip()
    raise UsageError(
        f"{stream.shown!r} is neither NDJSON nor JSON: it starts with {shown!r}.",
        hint="Where it is NDJSON whose bad lines are to be kept in quarantine, say --format ndjson; "
        f"the formats are {', '.join(get_args(Format))}.",
    )


def _with_first_line(stream: ByteStream) -> bytes:
    """Return how the text begins, with the whole first line that is not blank, unless it is very long."""
    size = _FIRST_LINE
    while True:
        ahead = stream.peek(size)
        text = ahead.removeprefix(_BOM).lstrip()
        if b"\n" in text or len(ahead) < size or size > _LONGEST_LINE:
            return text
        size *= 4


def _ending(path: str) -> str:
    return os.path.splitext(plain_name(path))[1].lower()
