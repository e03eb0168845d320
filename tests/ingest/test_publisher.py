"""Publishing: rows and tables to messages, episodes to one partition, bad rows told and good ones kept."""

from __future__ import annotations

import fcntl
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ingest import EmbeddedStream, Limits, Linger, MemoryStream, Publisher
from ingest.streams import partition_for, routing_key
from schemas.archive_spec import ArchiveSpec
from schemas.errors import NotFoundError, StepsError, StreamError
from schemas.protocols import Message, Partition
from schemas.spaces import Box, Dict, Discrete, Scalar
from schemas.steps import Steps
from schemas.wire import Form, decode_arrow, form_of

SPEC = ArchiveSpec(
    name="cart",
    observation=Box(shape=(2, 2)),
    action=Discrete(n=2),
    extras={"turn": Scalar(dtype="int64"), "joint": Dict(spaces={"x": Box(shape=(2,)), "on": Discrete(n=2)})},
)
NOW = 1_700_000_000.25
BUFFERED = Linger(rows=1_000_000, seconds=1e9)


def row(step: int = 0, **changes: Any) -> dict[str, Any]:
    made = {
        "episode_id": "e",
        "step": step,
        "observation": np.full((2, 2), step, np.float32),
        "action": 1,
        "reward": 1.0,
        "terminated": False,
        "truncated": False,
    }
    return made | changes


def messages_of(stream: MemoryStream, topic: str = SPEC.topic) -> list[Message]:
    consumer = stream.consumer([topic], "reader")
    consumer.poll(1, 1, 0)
    for partition in consumer.assignment:
        consumer.seek(partition, 0)
    messages = consumer.poll(1_000_000, 1 << 30, 0)
    consumer.close()
    return messages


def landed(stream: MemoryStream) -> list[dict[str, Any]]:
    """Return all rows, by partition; every message must be a valid one of ours."""
    rows = []
    for message in sorted(messages_of(stream), key=lambda message: message[1:3]):
        assert form_of(message.value, message.headers) is Form.ARROW
        rows += Steps(decode_arrow(message.value), SPEC).table.to_pylist()
    return rows


def publisher(stream: MemoryStream, **options: Any) -> Publisher:
    defaults: dict[str, Any] = {"linger": BUFFERED, "clock": lambda: NOW, "run": "r"}
    return Publisher(SPEC, stream, **defaults | options)


def test_a_row_travels_whole() -> None:
    stream = MemoryStream()
    joint = {"x": [1, 2], "on": 1}
    with publisher(stream, source="actor", policy_version="v7") as publish:
        publish.publish(
            **row(3, next_observation=[[1, 2], [3, 4]], action_probability=0.5, truncated=True),
            info={"raw": np.int64(7)},
            event_time="2024-05-01T12:00:00+02:00",
            turn=9,
            joint=joint,
            priority=2.0,
        )
    (got,) = landed(stream)
    assert got == {
        "event_id": None,
        "source": "actor",
        "agent_id": "default",
        "episode_id": "r/e",
        "step": 3,
        "observation": [3.0] * 4,
        "action": 1,
        "action_log_prob": pytest.approx(np.log(0.5)),
        "action_mask": None,
        "reward": 1.0,
        "next_observation": [1.0, 2.0, 3.0, 4.0],
        "terminated": False,
        "truncated": True,
        "discount": None,
        "policy_version": "v7",
        "event_time": datetime(2024, 5, 1, 10, tzinfo=UTC),
        "info": '{"raw":7}',
        "priority": 2.0,
        "turn": 9,
        "joint": joint,
    }


def test_defaults_stand_only_where_a_row_says_nothing() -> None:
    stream = MemoryStream()
    with publisher(stream, agent_id="mine") as publish:
        publish.publish(**row(0))
        publish.publish_rows([row(1, agent_id="other", source="s", policy_version="p", event_time=5)])
    first, second = sorted(landed(stream), key=lambda got: got["step"])
    assert first["event_time"] == datetime.fromtimestamp(NOW, UTC)
    assert (first["agent_id"], first["source"], first["policy_version"]) == ("mine", "default", None)
    assert (second["agent_id"], second["source"], second["policy_version"]) == ("other", "s", "p")
    assert second["event_time"] == datetime.fromtimestamp(5, UTC)


def test_an_episode_is_of_its_run() -> None:
    stream = MemoryStream()
    runs = []
    for run in (None, None, "mine", ""):
        with publisher(stream, run=run) as publish:
            publish.publish(**row(episode_id=4))
            runs.append(publish.run)
    assert runs[0] != runs[1]
    assert runs[2:] == ["mine", ""]
    assert {got["episode_id"] for got in landed(stream)} == {f"{runs[0]}/4", f"{runs[1]}/4", "mine/4", "4"}


def test_arrays_are_copied_when_they_are_given() -> None:
    stream = MemoryStream()
    shared = np.zeros((2, 2), np.float32)
    with publisher(stream) as publish:
        for step in range(3):
            shared[:] = step
            publish.publish(**row(step, observation=shared))
    assert [got["observation"][0] for got in landed(stream)] == [0.0, 1.0, 2.0]


def table_of(rows: int, episodes: int, **columns: Any) -> pa.Table:
    made: dict[str, Any] = {
        "episode_id": [f"e{i % episodes}" for i in range(rows)],
        "step": [i // episodes for i in range(rows)],
        "observation": pa.array([[float(i)] * 4 for i in range(rows)], pa.list_(pa.float32())),
        "action": [i % 2 for i in range(rows)],
        "reward": [1.0] * rows,
        "terminated": [False] * rows,
        "truncated": [False] * rows,
    }
    return pa.table(made | columns)


def by_rows(publish: Publisher, table: pa.Table) -> None:
    publish.publish_rows(table.to_pylist())


def by_table(publish: Publisher, table: pa.Table) -> None:
    publish.publish_table(table)


@pytest.mark.parametrize("way", [by_rows, by_table])
def test_an_episode_goes_to_the_partition_of_its_key_in_order(
    way: Callable[[Publisher, pa.Table], None],
) -> None:
    stream = MemoryStream()
    stream.create_topic(SPEC.topic, 3)
    sources = ["north" if i % 40 < 20 else "süd" for i in range(400)]
    with publisher(stream) as publish:
        way(publish, table_of(400, 40, source=sources))
    steps: dict[tuple[str, str], list[int]] = defaultdict(list)
    used = set()
    for message in messages_of(stream):
        for got in decode_arrow(message.value).to_pylist():
            key = routing_key(got["source"], got["episode_id"])
            assert partition_for(key, 3) == message.partition
            used.add(message.partition)
            steps[got["source"], got["episode_id"]].append(got["step"])
    assert used == {0, 1, 2}
    assert len(steps) == 40
    assert all(found == list(range(10)) for found in steps.values())


def test_rows_and_tables_say_the_same() -> None:
    mixed = {
        "episode_id": pa.array([5, None, 6, 5], pa.int64()),
        "step": [0, None, 0, 1],
        "event_id": [None, "ev", None, None],
        "source": pa.array(["a", None, None, "a"]).dictionary_encode(),
        "policy_version": pa.nulls(4),
        "event_time": ["2024-05-01T12:00:00Z", None, None, "2024-05-01T12:00:01Z"],
        "action_probability": [0.5, None, 1.0, 0.25],
    }
    streams = MemoryStream(), MemoryStream()
    for stream, way in zip(streams, (by_rows, by_table), strict=True):
        with publisher(stream, source="mine", agent_id="me", policy_version="v") as publish:
            way(publish, table_of(4, 1, **mixed))
    assert landed(streams[0]) == landed(streams[1])
    assert sorted(str(got["episode_id"]) for got in landed(streams[0])) == ["None", "r/5", "r/5", "r/6"]


def test_a_message_stays_small_and_a_large_row_goes_alone() -> None:
    spec = ArchiveSpec(name="pixels", observation=Box(shape=(600, 1000), dtype="uint8"), action=Discrete(n=2))
    stream = MemoryStream()
    with Publisher(spec, stream, linger=BUFFERED) as publish:
        for step in range(3):
            publish.publish(**row(step, observation=np.zeros((600, 1000), np.uint8)))
    assert [decode_arrow(message.value).num_rows for message in messages_of(stream, spec.topic)] == [1, 1, 1]

    with publisher(stream) as publish:
        publish.publish_table(table_of(50_000, 10))
    messages = messages_of(stream)
    assert sum(decode_arrow(message.value).num_rows for message in messages) == 50_000
    assert max(len(message.value) for message in messages) < 600_000
    assert min(len(message.value) for message in messages) > 200_000


BAD: list[tuple[dict[str, Any], str]] = [
    ({"observation": None}, "observation"),
    ({"terminated": None}, "terminated"),
    ({"step": None}, "step"),
    ({"episode_id": None}, "step"),
    ({"observation": [1.0, 2.0, 3.0]}, "observation"),
    ({"observation": [1.0, None, 3.0, 4.0]}, "observation"),
    ({"next_observation": np.zeros(5)}, "next_observation"),
    ({"action": 0.5}, "action"),
    ({"action": "left"}, "action"),
    ({"reward": "much"}, "reward"),
    ({"event_time": "yesterday"}, "event_time"),
    ({"joint": {"x": [1, 2]}}, "joint"),
    ({"joint": {"x": [1, 2, 3], "on": 0}}, "joint"),
    ({"rewrad": 1.0}, "rewrad"),
    ({"action_probability": 0.5, "action_log_prob": -1.0}, "action_probability"),
]


@pytest.mark.parametrize(("changes", "column"), BAD)
def test_a_bad_row_is_told_at_once_and_the_good_ones_stay(changes: dict[str, Any], column: str) -> None:
    stream = MemoryStream()
    with publisher(stream) as publish:
        publish.publish(**row(0))
        with pytest.raises(StepsError) as caught:
            publish.publish(**(row(1) | changes))
        assert caught.value.column == column
        assert column in str(caught.value)
        assert "episode" in str(caught.value)
        publish.publish(**row(2))
        with pytest.raises(StepsError):
            publish.publish_rows([row(3), row(4) | changes, row(5)])
    assert [got["step"] for got in landed(stream)] == [0, 2, 3]


def test_a_bad_table_is_refused_whole() -> None:
    stream = MemoryStream()
    bad: list[dict[str, Any]] = [
        {"action": [0.5] * 4},
        {"episode_id": [0.5] * 4},
        {"rewrad": [1.0] * 4},
        {"source": [1] * 4},
    ]
    with publisher(stream) as publish:
        publish.publish(**row(0))
        for columns in bad:
            with pytest.raises(StepsError) as caught:
                publish.publish_table(table_of(4, 1, **columns))
            assert [caught.value.column] == list(columns)
    assert len(landed(stream)) == 1


@pytest.mark.parametrize(
    "linger",
    [Linger(rows=3, seconds=1e9), Linger(rows=9, seconds=1e9, bytes=2000), Linger(rows=9, seconds=0.02)],
    ids=["rows", "bytes", "age"],
)
def test_steps_are_sent_by_count_by_bytes_and_by_age_with_no_further_call(linger: Linger) -> None:
    stream = MemoryStream()
    with publisher(stream, linger=linger) as publish:
        reader = stream.consumer([SPEC.topic], "waiting")
        reader.poll(1, 1, 0)
        for partition in reader.assignment:
            reader.seek(partition, 0)
        for step in range(3):
            publish.publish(**row(step, info="x" * 800))
        got = 0
        while got < 3:
            (message,) = reader.poll(1, 1 << 20, 30)
            got += decode_arrow(message.value).num_rows
        reader.close()


def test_what_lingers_is_not_sent_before_a_flush_or_the_end() -> None:
    stream = MemoryStream()
    publish = publisher(stream)
    publish.publish(**row(6))
    publish.publish_table(table_of(1, 1))
    assert publish.outbox.waiting == 2
    publish.flush()
    assert publish.outbox.waiting == 0
    assert len(landed(stream)) == 2
    publish.publish(**row(7))
    publish.close()
    publish.close()
    assert len(landed(stream)) == 3
    with pytest.raises(StreamError, match="closed"):
        publish.publish(**row(8))
    with pytest.raises(StreamError, match="closed"):
        publish.flush()


def test_what_the_stream_refuses_is_kept_for_the_next_flush() -> None:
    stream = MemoryStream()
    publish = publisher(stream)
    publish.publish(**row(0))
    publish.publish_table(table_of(10, 2))
    stream.delete_topic(SPEC.topic)
    with pytest.raises(NotFoundError):
        publish.flush()
    stream.create_topic(SPEC.topic)
    publish.close()
    assert len(landed(stream)) == 11


def test_tables_that_the_stream_takes_only_in_part_come_once(tmp_path: Path) -> None:
    spec = ArchiveSpec(name="wide", observation=Box(shape=(3000,)), action=Discrete(n=2))
    rows = 6000  # 72 MB: the embedded producer flushes by itself in between
    observations = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows * 3000, np.float32)), 3000)
    with EmbeddedStream(tmp_path, busy_timeout=0.01) as stream:
        publish = Publisher(spec, stream, linger=BUFFERED, limits=Limits(bytes=1 << 30))
        with (tmp_path / "stream.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for _ in range(2):
                publish.publish_table(table_of(rows, 1, observation=observations))
                with pytest.raises(StreamError, match="locked"):
                    publish.flush()
        publish.close()
        consumer = stream.consumer([spec.topic], "reader")
        consumer.poll(1, 1, 0)
        for partition in consumer.assignment:
            consumer.seek(partition, 0)
        found = 0
        while messages := consumer.poll(100, 1 << 24, 0):
            found += sum(decode_arrow(message.value).num_rows for message in messages)
        consumer.close()
    assert found == 2 * rows


def test_the_topic_is_made_or_taken_as_it_is() -> None:
    stream = MemoryStream()
    publisher(stream).close()
    assert stream.topic(SPEC.topic).partitions == 4
    assert stream.bounds(Partition(SPEC.topic, 0)).end == 0
