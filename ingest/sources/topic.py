"""Messages of a foreign topic to records: JSON, one or many to a message, and Avro."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from ingest.records import Records, Refused
from ingest.sources.avro_records import AvroDecoder
from ingest.sources.json_records import parse_json
from ingest.sources.options import SourceOptions
from ingest.sources.pieces import Problem, refused
from ingest.sources.plain_values import content_of
from schemas.errors import DataError, UsageError
from schemas.protocols import Message

Decode = Callable[[bytes], list[Mapping[str, Any] | Refused]]


class TopicDecoder:
    """Make records of messages; the options say what they are: JSON, which is usual, or Avro."""

    def __init__(self, options: SourceOptions, topic_id: str) -> None:
        """Prepare the options; raise UsageError for a format that no message has, or a broken schema."""
        if options.format not in (None, "json", "ndjson", "avro"):
            raise UsageError(
                f"The messages of a topic cannot be {options.format}.", hint="Say `format: json` or avro."
            )
        self._name = topic_id if options.name is None else f"{options.name}/{topic_id}"
        self._decode: Decode = _decode_json
        if options.format == "avro":
            self._decode = _of_avro(AvroDecoder(options.avro_schema))
        elif options.records is not None:
            self._decode = _at_path(options.records)

    def decode(self, messages: Sequence[Message]) -> tuple[Records, NDArray[np.int64]]:
        """Return the records, and the index of each one's message; nothing is raised for what they hold."""
        values: list[Mapping[str, Any]] = []
        names: list[str] = []
        index_of: list[int] = []
        faults: list[Refused] = []
        whole: set[int] = set()  # records that are all of their message
        for index, message in enumerate(messages):
            found = self._decode(message.value)
            if len(found) == 1:
                whole.add(len(values))
            for row, value in enumerate(found):
                if isinstance(value, Refused):
                    faults.append(value)
                    continue
                values.append(value)
                names.append(f"{self._name}/{message.partition}/{message.offset}/{row}")
                index_of.append(index)

        def raw(place: int) -> bytes:
            return messages[index_of[place]].value if place in whole else content_of(values[place])

        records = Records(values, pa.array(names, pa.string()), raw, tuple(faults))
        return records, np.array(index_of, np.int64)


def records_of(messages: Sequence[Message], options: SourceOptions, topic_id: str) -> Records:
    """Make records of messages of a topic; their ids are topic id/partition/offset/row.

    A message is a JSON object, an array or lines of them, or Avro: an object container, or a record of the
    options' schema, with or without Confluent's five bytes before it. What does not decode is refused, and
    nothing is raised for it. For many batches a `TopicDecoder` is prepared once.
    """
    return TopicDecoder(options, topic_id).decode(messages)[0]


def _decode_json(value: bytes) -> list[Mapping[str, Any] | Refused]:
    parsed = parse_json(value)
    if isinstance(parsed, list):
        return [_object(one, orjson.dumps(one)) for one in parsed]
    if isinstance(parsed, Problem):
        lines = [line for line in value.splitlines() if line.strip()]
        several = [_object(parse_json(line), line) for line in lines]
        # Where not one line is an object, the message is one broken text.
        if len(several) > 1 and not all(isinstance(one, Refused) for one in several):
            return several
    return [_object(parsed, value)]


def _object(value: Any, raw: bytes) -> Mapping[str, Any] | Refused:
    if isinstance(value, dict):
        return value
    if isinstance(value, Problem):
        return refused(raw, value)
    return refused(raw, Problem("undecodable", "The JSON is no object, and one is expected."))


def _at_path(path: str) -> Decode:
    from jsonpath import compile as compile_path

    query = compile_path(path)

    def decode(value: bytes) -> list[Mapping[str, Any] | Refused]:
        document = parse_json(value)
        if isinstance(document, Problem):
            return [refused(value, document)]
        return [_object(match.obj, orjson.dumps(match.obj)) for match in query.finditer(document)]

    return decode


def _of_avro(decoder: AvroDecoder) -> Decode:
    def decode(value: bytes) -> list[Mapping[str, Any] | Refused]:
        try:
            return list(decoder.decode(value))
        except DataError as exc:
            return [refused(value, Problem("undecodable", exc.message))]

    return decode
