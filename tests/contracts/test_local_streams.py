"""What the streams that keep their own groups and clocks must do besides: embedded and memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.streams import EmbeddedStream, MemoryStream
from schemas.errors import NotFoundError
from schemas.protocols import Bounds, Consumer, Message, Partition, Stream

SESSION = 10.0
PATIENCE = 10.0
MANY = 1_000_000


@dataclass
class Clock:
    """A clock that the test sets."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """A stream, and what the tests need besides."""

    stream: EmbeddedStream | MemoryStream
    clock: Clock
    consumers: list[Consumer] = field(default_factory=list)

    def send(self, *values: bytes, topic: str = "t", key: bytes | None = None, partition: int = 0) -> None:
        producer = self.stream.producer()
        for value in values:
            producer.send(topic, value, key=key, partition=None if key else partition)
        producer.close()

    def join(self, *topics: str, group: str = "g") -> Consumer:
        consumer = self.stream.consumer(topics or ("t",), group)
        self.consumers.append(consumer)
        return consumer

    def reader(self, *topics: str, group: str = "g") -> Consumer:
        """Join alone, and start everything at the earliest."""
        consumer = self.join(*topics, group=group)
        settle(consumer)
        start(consumer, self.stream)
        return consumer


@pytest.fixture(params=["embedded", "memory"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    clock = Clock()
    stream: EmbeddedStream | MemoryStream
    if request.param == "embedded":
        stream = EmbeddedStream(tmp_path, clock=clock, session_timeout=SESSION)
    else:
        stream = MemoryStream(clock=clock, session_timeout=SESSION)
    with stream:
        bench = Bench(stream, clock)
        yield bench
        for consumer in bench.consumers:
            consumer.close()


def settle(*consumers: Consumer) -> None:
    """Poll until the members see no more changes."""
    deadline = time.monotonic() + PATIENCE
    seen: list[int] = []
    while seen != (seen := [consumer.generation for consumer in consumers]) or 0 in seen:
        assert time.monotonic() < deadline
        for consumer in consumers:
            assert consumer.poll(MANY, MANY, 0) == []


def start(consumer: Consumer, stream: Stream) -> None:
    for partition in consumer.assignment:
        consumer.seek(partition, stream.bounds(partition).earliest)


def take(consumer: Consumer, count: int) -> list[Message]:
    """Poll until `count` messages came, and none after them."""
    messages: list[Message] = []
    deadline = time.monotonic() + PATIENCE
    while len(messages) < count and time.monotonic() < deadline:
        messages += consumer.poll(MANY, MANY, 0.1)
    return messages + consumer.poll(MANY, MANY, 0)


def values(messages: list[Message]) -> list[bytes]:
    return [message.value for message in messages]


def test_a_topic_made_again_has_a_new_id_and_starts_at_zero(bench: Bench) -> None:
    old = bench.stream.create_topic("t", 1)
    bench.send(b"old")
    consumer = bench.reader()
    assert values(take(consumer, 1)) == [b"old"]
    consumer.commit({Partition("t", 0): 1})
    generation = consumer.generation

    bench.stream.delete_topic("t")
    settle(consumer)
    assert consumer.assignment == frozenset()
    new = bench.stream.create_topic("t", 1)
    assert new.id != old.id
    assert bench.stream.bounds(Partition("t", 0)) == Bounds(0, 0)
    assert bench.stream.committed("g", Partition("t", 0)) is None
    bench.send(b"new")
    settle(consumer)
    assert consumer.generation > generation
    start(consumer, bench.stream)
    (message,) = take(consumer, 1)
    assert (message.offset, message.value) == (0, b"new")


def test_a_flush_that_fails_writes_nothing_and_keeps_everything(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    bench.stream.create_topic("whole", 1)
    producer = bench.stream.producer()
    producer.send("whole", b"x")
    producer.send("t", b"y", partition=1)
    bench.stream.delete_topic("t")
    with pytest.raises(NotFoundError):
        producer.flush()
    bench.stream.create_topic("t", 1)
    with pytest.raises(NotFoundError):
        producer.flush()
    assert bench.stream.bounds(Partition("whole", 0)).end == 0
    bench.stream.delete_topic("t")
    bench.stream.create_topic("t", 2)
    producer.close()
    assert bench.stream.bounds(Partition("whole", 0)).end == 1
    assert bench.stream.bounds(Partition("t", 1)).end == 1


def test_an_offset_is_found_between_two_times(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    for second in range(0, 100, 10):
        bench.clock.now = 1_700_000_000.0 + second
        bench.send(b"x", b"y")
    for second, offset in ((-5, 0), (0, 0), (1, 2), (45, 10), (50, 10), (90, 18), (91, 20)):
        time = datetime.fromtimestamp(1_700_000_000 + second, UTC)
        assert bench.stream.offset_at(Partition("t", 0), time) == offset


def test_append_time_never_goes_back_in_a_partition(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    for second in (5, 3, 9):
        bench.clock.now = 1_700_000_000.0 + second
        bench.send(b"x")
    stamps = [message.timestamp_ms - 1_700_000_000_000 for message in take(bench.reader(), 3)]
    assert stamps == [5000, 5000, 9000]


def test_a_poll_is_as_full_as_its_limits_allow(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    bench.send(*(b"x" * 100 for _ in range(10)))
    consumer = bench.reader()
    assert [len(consumer.poll(*limits, 0)) for limits in ((4, MANY), (MANY, 250), (MANY, 300))] == [4, 2, 3]
    assert [message.offset for message in consumer.poll(MANY, 1, 0)] == [9]


def test_no_partition_starves(bench: Bench) -> None:
    bench.stream.create_topic("t", 3)
    for number in range(3):
        bench.send(*(b"x" for _ in range(100)), partition=number)
    consumer = bench.reader()
    polled = {consumer.poll(10, MANY, 0)[0].partition for _ in range(3)}
    assert polled == {0, 1, 2}


def test_the_generation_grows_also_when_the_assignment_comes_back(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    first = bench.reader()
    before = (first.generation, first.assignment)
    bench.join().close()  # came and went between two polls
    settle(first)
    assert first.assignment == before[1]
    assert first.generation > before[0]


def test_a_silent_member_is_expelled_and_comes_back(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    bench.send(b"x")
    awake, frozen = bench.join(), bench.join()
    settle(awake, frozen)
    start(frozen, bench.stream)
    held = (frozen.generation, frozen.assignment)

    bench.clock.now += SESSION * 0.9
    awake.poll(MANY, MANY, 0)
    assert len(awake.assignment) == 1  # not yet
    bench.clock.now += SESSION * 0.9
    settle(awake)
    assert len(awake.assignment) == 2

    assert frozen.poll(MANY, MANY, PATIENCE) == []
    settle(awake, frozen)
    assert frozen.generation > held[0]
    assert len(frozen.assignment) == len(awake.assignment) == 1
    assert not frozen.assignment & awake.assignment
    assert frozen.poll(MANY, MANY, 0) == []


def test_a_member_that_slept_alone_goes_on(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    consumer = bench.reader()
    bench.clock.now += SESSION * 5
    bench.send(b"x")
    assert values(take(consumer, 1)) == [b"x"]


def test_one_who_joins_expels_the_dead(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    bench.reader()
    bench.clock.now += SESSION * 1.1
    fresh = bench.join()
    settle(fresh)
    assert len(fresh.assignment) == 2


def test_polling_keeps_membership_also_when_all_is_paused_and_the_clock_is_set_back(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    first, second = bench.join(), bench.join()
    settle(first, second)
    for consumer in (first, second):
        consumer.pause(list(consumer.assignment))
    generations = (first.generation, second.generation)
    for step in (4, 4, 4, 4, -3600, 4, 4, 4, 4):
        bench.clock.now += step
        assert first.poll(MANY, MANY, 0) == second.poll(MANY, MANY, 0) == []
    assert (first.generation, second.generation) == generations


def test_a_clock_that_was_set_back_keeps_no_dead_member(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    awake, dead = bench.join(), bench.join()
    settle(awake, dead)
    bench.clock.now -= 3600
    awake.poll(MANY, MANY, 0)
    dead.poll(MANY, MANY, 0)
    for _ in range(4):
        bench.clock.now += SESSION * 0.4
        awake.poll(MANY, MANY, 0)
    assert len(awake.assignment) == 2
