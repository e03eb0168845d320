"""Raw lines: nothing is judged, an episode stays together, and twice is twice the same."""

from __future__ import annotations

import json

from ingest import MemoryStream, publish_lines
from ingest.streams import partition_for, routing_key
from schemas.protocols import Message, Partition
from schemas.wire import Form, form_of


def messages_of(stream: MemoryStream, starts: dict[int, int] | None = None) -> list[Message]:
    consumer = stream.consumer(["t"], "reader")
    consumer.poll(1, 1, 0)
    for partition in consumer.assignment:
        consumer.seek(partition, (starts or {}).get(partition.number, 0))
    messages = consumer.poll(1_000_000, 1 << 30, 0)
    consumer.close()
    return sorted(messages, key=lambda message: message[1:3])


def line(**record: object) -> bytes:
    return json.dumps(record).encode() + b"\n"


ODD = [
    b"\n",
    b"   \r\n",
    b"not json\n",
    b"[1, 2]\n",
    b'"text"\n',
    b'{"episode_id": 7}\n',
    b'{"episode_id": "half \\ud800", "step": 1}\n',
    b"[" * 100_000 + b"\n",
    b"1" * 5000 + b"\n",
    b"\xff\xfe bytes\n",
    b'{"state": [1], "action": 0}\r\n',
    b'{"event_id": "ev", "source": null}\n',
    b'{"last": "without an end"}',
]


def test_lines_travel_raw_and_none_is_lost() -> None:
    stream = MemoryStream()
    assert publish_lines(ODD, stream, "t") == len(ODD) - 2
    messages = messages_of(stream)
    sent = [part for message in messages for part in message.value.split(b"\n")]
    assert sorted(sent) == sorted(text.strip() for text in ODD if text.strip())
    assert {form_of(message.value, message.headers) for message in messages} == {Form.NDJSON}


def test_an_episode_goes_where_a_publisher_sends_it_in_order() -> None:
    stream = MemoryStream()
    lines = [line(source="s", episode_id=f"e{i % 30}", step=i // 30) for i in range(3000)]
    lines += [line(episode_id="plain", step=i) for i in range(5)]
    assert publish_lines(lines, stream, "t", rows=100) == 3005
    steps: dict[str, list[int]] = {}
    for message in messages_of(stream):
        records = [json.loads(part) for part in message.value.split(b"\n")]
        assert len(records) <= 100
        for record in records:
            key = routing_key(record.get("source", "default"), record["episode_id"])
            assert message.partition == partition_for(key, 4)
            steps.setdefault(record["episode_id"], []).append(record["step"])
    assert all(found == sorted(found) for found in steps.values())
    assert sum(map(len, steps.values())) == 3005


def test_the_same_lines_make_the_same_messages_again() -> None:
    stream = MemoryStream()
    lines = [*ODD, *(line(episode_id=f"e{i % 7}", step=i, pad="x" * (i % 500)) for i in range(5000))]
    publish_lines(lines, stream, "t")
    first = messages_of(stream)
    ends = {number: stream.bounds(Partition("t", number)).end for number in range(4)}
    publish_lines(iter(lines), stream, "t")
    again = messages_of(stream, ends)
    assert [(m.partition, m.value, m.headers) for m in first] == [
        (m.partition, m.value, m.headers) for m in again
    ]


def test_messages_keep_to_their_size_but_a_long_line_goes_alone() -> None:
    stream = MemoryStream()
    stream.create_topic("t", 1)
    publish_lines(
        [line(text="x" * 50)] * 10 + [line(text="y" * 500)] + [line(text="z")], stream, "t", message_bytes=200
    )
    sizes = [len(message.value) for message in messages_of(stream)]
    assert max(size for size in sizes if size < 500) <= 200
    assert [size for size in sizes if size >= 500] == [len(line(text="y" * 500)) - 1]


def test_an_empty_file_publishes_nothing() -> None:
    stream = MemoryStream()
    assert publish_lines([], stream, "t") == 0
    assert messages_of(stream) == []
