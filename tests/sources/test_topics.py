"""Foreign topics: what a message may hold, and a drive that repeats nothing whoever dies."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fastavro
import pytest

from ingest import MemoryStream, PollPolicy, SourceOptions, TopicPublisher
from ingest.sources import records_of
from schemas.errors import NotFoundError, StreamError, UsageError
from schemas.protocols import Message
from tests.sources.doors import COLUMNS, SPEC, decoded, faults, gains, landing, mapping, numbers, record
from tests.sources.test_formats import SCHEMA
from tests.sources.test_resuming import FragileStream

GROUP = "group"
PARSED = fastavro.parse_schema(SCHEMA)


def message(value: bytes, offset: int = 7) -> Message:
    return Message("foreign", 3, offset, 1000, None, value, ())


def avro_of(one: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, PARSED, one)
    return file.getvalue()


def container_of(*records: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, PARSED, records)
    return file.getvalue()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"a": 1}', [{"a": 1}]),
        (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        (b'{"a": 1}\n{"a": 2}\r\n', [{"a": 1}, {"a": 2}]),
        (b'{\n "a": 1\n}', [{"a": 1}]),
        (b"[]", []),
    ],
)
def test_json_messages(value: bytes, expected: list[Any]) -> None:
    records = records_of([message(value)], SourceOptions(), "id")
    assert list(records.fields) == expected and records.refused == ()
    assert records.ids.to_pylist() == [f"id/3/7/{row}" for row in range(len(expected))]
    assert [json.loads(records.raw(row)) for row in range(len(expected))] == expected


def test_records_at_a_path_and_a_name() -> None:
    options = SourceOptions(records="$.hits[*]", name="web")
    records = records_of([message(b'{"hits": [{"a": 1}, 5, {"a": 2}]}'), message(b"{")], options, "id")
    assert list(records.fields) == [{"a": 1}, {"a": 2}]
    assert records.ids.to_pylist() == ["web/id/3/7/0", "web/id/3/7/2"]
    assert [one.raw for one in records.refused] == [b"5", b"{"]


@pytest.mark.parametrize("value", [b"", b"7", b"nothing", b"\xff\x00", b'{"a":', b'"text"', b"{\n1\n"])
def test_what_is_no_json_is_refused(value: bytes) -> None:
    records = records_of([message(value), message(b'{"a": 1}')], SourceOptions(), "id")
    assert list(records.fields) == [{"a": 1}]
    assert [(one.raw, one.reason) for one in records.refused] == [(value, "undecodable")]


def test_a_bad_line_is_refused_alone() -> None:
    records = records_of([message(b'{"a": 1}\nbad\n{"a": 2}\n[3]')], SourceOptions(), "id")
    assert list(records.fields) == [{"a": 1}, {"a": 2}]
    assert records.ids.to_pylist() == ["id/3/7/0", "id/3/7/2"]
    assert [one.raw for one in records.refused] == [b"bad", b"[3]"]


@pytest.mark.parametrize("in_file", [True, False])
def test_avro_messages(in_file: bool, tmp_path: Path) -> None:
    schema: Any = SCHEMA
    if in_file:
        schema = tmp_path / "click.avsc"
        schema.write_text(json.dumps(SCHEMA))
    options = SourceOptions(format="avro", avro_schema=schema)
    bare, framed = avro_of(record(0)), b"\0\0\0\0\7" + avro_of(record(1))
    several = container_of(record(2), record(3))
    records = records_of(
        [message(value) for value in (bare, framed, several, bare[:-3], bare + b"x", b"")], options, "id"
    )
    assert [dict(one)["gain"] for one in list(records.fields)] == [0, 1, 2, 3]
    assert [one.raw for one in records.refused] == [bare[:-3], bare + b"x", b""]
    assert records.raw(1) == framed


def test_avro_without_a_schema_that_can_be() -> None:
    only_containers = records_of([message(avro_of(record(0)))], SourceOptions(format="avro"), "id")
    assert "avro_schema" in only_containers.refused[0].detail
    with pytest.raises(UsageError, match="not possible"):
        records_of([], SourceOptions(format="avro", avro_schema={"type": "nothing"}), "id")
    with pytest.raises(NotFoundError, match="Avro schema"):
        records_of([], SourceOptions(format="avro", avro_schema=Path("gone.avsc")), "id")
    with pytest.raises(UsageError, match="cannot be csv"):
        records_of([], SourceOptions(format="csv"), "id")


def fill(stream: MemoryStream, values: Sequence[bytes]) -> None:
    stream.create_topic("foreign", 3)
    producer = stream.producer()
    for number, value in enumerate(values):
        producer.send("foreign", value, partition=number % 3)
    producer.flush()
    producer.close()


def run(
    stream: MemoryStream, stop: threading.Event | None = None, *, again: bool = False, made: Any = None
) -> Any:
    topic = stream.create_topic(SPEC.topic, 2)
    poll = PollPolicy(messages=10, wait=0.01)
    with TopicPublisher(
        stream, "foreign", topic, SPEC, GROUP, made or mapping(), again=again, poll=poll
    ) as publisher:
        return publisher.run_to_end() if stop is None else publisher.run_until(stop)


def test_a_topic_goes_on_where_its_group_stood() -> None:
    stream = MemoryStream()
    fill(stream, [*(json.dumps(record(number)).encode() for number in range(50)), b"bad", b'{"x": 1}'])
    report = run(stream)
    assert (report.records, report.steps, report.refused) == (52, 50, 2)
    assert run(stream).records == 0
    fill(stream, [json.dumps([record(50), record(51)]).encode()])
    assert run(stream).records == 2
    assert gains(stream) == numbers(52)
    assert sorted(raw for raw, _ in faults(stream)) == [b"bad", b'{"x": 1}']
    assert run(stream, again=True).records == 54
    assert gains(stream) == numbers(52)


def test_a_row_without_a_time_takes_that_of_its_message() -> None:
    stream = MemoryStream()
    fill(stream, [json.dumps(record(0)).encode()])
    untimed = {name: form for name, form in COLUMNS.items() if name != "event_time"}
    made = type(mapping()).from_dict({"columns": untimed})
    run(stream, made=made)
    run(stream, made=made, again=True)
    [row] = landing(stream).values()
    assert decoded(stream).table.num_rows == 2 and row["event_time"] is not None


@pytest.mark.parametrize("calls", range(0, 30, 3))
def test_whoever_dies_loses_nothing(calls: int) -> None:
    stream = FragileStream()
    fill(stream, [json.dumps(record(number)).encode() for number in range(60)])
    stream.create_topic(SPEC.topic, 2)
    stream.calls_left = calls
    with contextlib.suppress(StreamError):
        run(stream)
    stream.calls_left = 10**9
    run(stream)
    assert gains(stream) == numbers(60)


def test_two_share_a_topic() -> None:
    stream = MemoryStream()
    fill(stream, [json.dumps(record(number)).encode() for number in range(300)])
    stop = threading.Event()
    other = threading.Thread(target=run, args=(stream, stop))
    other.start()
    run(stream)
    fill(stream, [json.dumps(record(number)).encode() for number in range(300, 600)])
    run(stream)
    stop.set()
    other.join(60)
    assert gains(stream) == numbers(600)


def test_what_cannot_be_read_is_told() -> None:
    stream = MemoryStream()
    topic = stream.create_topic(SPEC.topic)
    with pytest.raises(NotFoundError, match="no topic 'gone'"):
        TopicPublisher(stream, "gone", topic, SPEC, GROUP, mapping())
    with pytest.raises(UsageError, match="the archive's own"):
        TopicPublisher(stream, SPEC.topic, topic, SPEC, GROUP, mapping())
