"""What every stream must do: one suite, passed by each implementation."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ingest.streams import EmbeddedStream, MemoryStream
from schemas.errors import NotFoundError, PositionLostError, StreamError, UsageError
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


def test_a_topic_is_made_once(bench: Bench) -> None:
    made = bench.stream.create_topic("t", 3)
    assert (made.name, made.partitions) == ("t", 3)
    assert bench.stream.create_topic("t", 7) == made == bench.stream.topic("t")
    assert bench.stream.create_topic("other").id != made.id


def test_an_unknown_topic_is_refused_with_those_that_are_there(bench: Bench) -> None:
    bench.stream.create_topic("there")
    producer = bench.stream.producer()
    for ask in (
        lambda: bench.stream.topic("t"),
        lambda: bench.stream.consumer(["there", "t"], "g"),
        lambda: producer.send("t", b"x"),
    ):
        with pytest.raises(NotFoundError) as caught:
            ask()
        assert caught.value.known == ("there",)
    producer.close()
    with pytest.raises(NotFoundError):
        bench.stream.bounds(Partition("there", 4))
    with pytest.raises(UsageError):
        bench.stream.create_topic("none", 0)
    with pytest.raises(UsageError):
        bench.stream.consumer([], "g")


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


def test_messages_come_as_they_were_sent(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    producer = bench.stream.producer()
    headers = (("form", b"arrow/2"), ("bytes", bytes(range(256))), ("form", b""))
    producer.send("t", b"one", key=b"k", headers=headers)
    producer.send("t", b"", key=b"")
    producer.send("t", bytes(range(256)))
    producer.close()
    ms = int(bench.clock.now * 1000)
    expected = [
        Message("t", 0, 0, ms, b"k", b"one", headers),
        Message("t", 0, 1, ms, b"", b"", ()),
        Message("t", 0, 2, ms, None, bytes(range(256)), ()),
    ]
    consumer = bench.reader()
    assert take(consumer, 3) == expected
    consumer.seek(Partition("t", 0), 1)
    assert take(consumer, 2) == expected[1:]


def test_equal_keys_go_to_one_partition_in_order(bench: Bench) -> None:
    bench.stream.create_topic("t", 4)
    first, second = bench.stream.producer(), bench.stream.producer()
    for i in range(200):
        (first if i % 2 else second).send("t", b"%d" % i, key=b"key %d" % (i % 20))
        if i % 7 == 0:
            first.flush()
            second.flush()
    first.close()
    second.close()
    messages = take(bench.reader(), 200)
    by_key: dict[bytes | None, set[int]] = {}
    for message in messages:
        by_key.setdefault(message.key, set()).add(message.partition)
    assert len(by_key) == 20
    assert all(len(partitions) == 1 for partitions in by_key.values())
    assert len(set.union(*by_key.values())) == 4
    for key in by_key:
        for producer in (0, 1):
            sent = [int(message.value) for message in messages if message.key == key]
            mine = [i for i in sent if i % 2 == producer]
            assert mine == sorted(mine)


def test_no_key_spreads(bench: Bench) -> None:
    bench.stream.create_topic("t", 4)
    for _ in range(10):
        producer = bench.stream.producer()
        for _ in range(6):
            producer.send("t", b"x")
        producer.close()
    ends = [bench.stream.bounds(Partition("t", number)).end for number in range(4)]
    assert sum(ends) == 60
    assert min(ends) >= 10


def test_a_partition_given_decides_before_the_key(bench: Bench) -> None:
    bench.stream.create_topic("t", 4)
    producer = bench.stream.producer()
    for number in range(4):
        producer.send("t", b"x", key=b"same", partition=number)
    for wrong in (4, -1):
        with pytest.raises(NotFoundError):
            producer.send("t", b"x", partition=wrong)
    producer.close()
    assert [bench.stream.bounds(Partition("t", number)).end for number in range(4)] == [1] * 4


def test_what_is_not_flushed_is_not_there_and_close_flushes(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    partition = Partition("t", 0)
    producer = bench.stream.producer()
    producer.flush()
    producer.send("t", b"x")
    assert bench.stream.bounds(partition).end == 0
    producer.flush()
    producer.flush()
    assert bench.stream.bounds(partition).end == 1
    producer.send("t", b"x")
    producer.close()
    producer.close()
    assert bench.stream.bounds(partition).end == 2
    with pytest.raises(StreamError):
        producer.send("t", b"x")


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


def test_append_time_never_goes_back_in_a_partition(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    for second in (5, 3, 9):
        bench.clock.now = 1_700_000_000.0 + second
        bench.send(b"x")
    stamps = [message.timestamp_ms - 1_700_000_000_000 for message in take(bench.reader(), 3)]
    assert stamps == [5000, 5000, 9000]


def test_nothing_comes_before_it_is_sought(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    bench.send(b"zero", partition=0)
    bench.send(b"one", partition=1)
    consumer = bench.join()
    assert (consumer.assignment, consumer.generation) == (frozenset(), 0)
    assert consumer.poll(MANY, MANY, PATIENCE) == []  # at once: the assignment is new
    assert consumer.assignment == {Partition("t", 0), Partition("t", 1)}
    assert consumer.poll(MANY, MANY, 0.05) == []
    consumer.seek(Partition("t", 1), 0)
    assert values(take(consumer, 1)) == [b"one"]


def test_seek_goes_anywhere_that_is_held_and_to_the_end(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    partition = Partition("t", 0)
    bench.send(*(b"%d" % i for i in range(10)))
    consumer = bench.reader()
    assert [message.offset for message in take(consumer, 10)] == list(range(10))
    consumer.seek(partition, 7)
    assert values(take(consumer, 3)) == [b"7", b"8", b"9"]
    consumer.seek(partition, 10)
    assert consumer.poll(MANY, MANY, 0) == []
    bench.send(b"10")
    assert values(take(consumer, 1)) == [b"10"]
    with pytest.raises(PositionLostError) as caught:
        consumer.seek(partition, 12)
    assert (caught.value.wanted, caught.value.earliest, caught.value.end) == (12, 0, 11)
    with pytest.raises(UsageError):
        consumer.seek(Partition("t", 1), 0)


def test_trim_moves_the_earliest_and_says_what_is_lost(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    partition = Partition("t", 0)
    bench.send(*(b"%d" % i for i in range(10)))
    bench.send(b"other", partition=1)
    assert bench.stream.trim(partition, 6) == bench.stream.bounds(partition) == Bounds(6, 10)
    assert bench.stream.trim(partition, 2) == Bounds(6, 10)
    assert bench.stream.bounds(Partition("t", 1)) == Bounds(0, 1)
    consumer = bench.reader()
    assert sorted(values(take(consumer, 5))) == [b"6", b"7", b"8", b"9", b"other"]
    with pytest.raises(PositionLostError) as caught:
        consumer.seek(partition, 5)
    assert (caught.value.wanted, caught.value.earliest, caught.value.end) == (5, 6, 10)
    assert bench.stream.trim(partition, 99) == Bounds(10, 10)
    bench.send(b"10")
    assert [message.offset for message in take(consumer, 1)] == [10]


def test_a_poll_that_was_overtaken_by_a_trim_says_so(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    bench.send(*(b"%d" % i for i in range(10)))
    consumer = bench.reader()
    assert len(consumer.poll(3, MANY, 0)) == 3
    bench.stream.trim(Partition("t", 0), 8)
    with pytest.raises(PositionLostError) as caught:
        consumer.poll(3, MANY, 0)
    assert (caught.value.wanted, caught.value.earliest, caught.value.end) == (3, 8, 10)


def test_poll_keeps_to_its_limits_but_brings_one(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    bench.send(*(b"x" * 100 for _ in range(10)))
    consumer = bench.reader()
    partition = Partition("t", 0)
    assert len(consumer.poll(4, MANY, 0)) == 4
    assert len(consumer.poll(MANY, 250, 0)) == 2
    assert len(consumer.poll(MANY, 300, 0)) == 3
    assert [message.offset for message in consumer.poll(MANY, 1, 0)] == [9]
    consumer.seek(partition, 0)
    assert [len(consumer.poll(MANY, 0, 0)) for _ in range(11)] == [1] * 10 + [0]


def test_a_large_message_waits_for_the_next_poll(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    bench.send(b"s", b"L" * 1000, b"s")
    bench.send(b"s", b"L" * 1000, b"s", partition=1)
    consumer = bench.reader()
    taken: list[Message] = []
    while batch := consumer.poll(MANY, 100, 0):
        assert len(batch) == 1 or sum(map(len, values(batch))) <= 100
        taken += batch
    for number in (0, 1):
        mine = [message.offset for message in taken if message.partition == number]
        assert mine == [0, 1, 2]


def test_no_partition_starves(bench: Bench) -> None:
    bench.stream.create_topic("t", 3)
    for number in range(3):
        bench.send(*(b"x" for _ in range(100)), partition=number)
    consumer = bench.reader()
    polled = {consumer.poll(10, MANY, 0)[0].partition for _ in range(3)}
    assert polled == {0, 1, 2}


def test_pause_and_resume(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    zero, one = Partition("t", 0), Partition("t", 1)
    for number in (0, 1):
        bench.send(b"a", b"b", partition=number)
    consumer = bench.reader()
    first = consumer.poll(1, MANY, 0)[0].partition
    consumer.pause([Partition("t", first)])
    other = take(consumer, 2)
    assert {message.partition for message in other} == {1 - first}
    consumer.pause([zero, one])
    assert consumer.poll(MANY, MANY, 0) == []
    consumer.resume([zero, one])
    assert [(message.partition, message.value) for message in take(consumer, 1)] == [(first, b"b")]
    with pytest.raises(UsageError):
        consumer.pause([Partition("t", 2)])


def test_a_group_shares_and_takes_over(bench: Bench) -> None:
    bench.stream.create_topic("t", 4)
    bench.stream.create_topic("u", 3)
    everything = {Partition("t", n) for n in range(4)} | {Partition("u", n) for n in range(3)}
    first = bench.reader("t", "u")
    assert first.assignment == everything
    alone = first.generation

    second = bench.join("t", "u")
    settle(first, second)
    assert first.assignment | second.assignment == everything
    assert not first.assignment & second.assignment
    assert sorted([len(first.assignment), len(second.assignment)]) == [3, 4]
    assert first.generation > alone

    third = bench.join("t", "u")
    settle(first, second, third)
    shares = [first.assignment, second.assignment, third.assignment]
    assert sorted(map(len, shares)) == [2, 2, 3]
    assert frozenset.union(*shares) == everything

    shared = first.generation
    second.close()
    third.close()
    settle(first)  # without waiting for any time to pass
    assert first.assignment == everything
    assert first.generation > shared


def test_each_member_gets_what_it_asked_for(bench: Bench) -> None:
    for topic in ("t", "u"):
        bench.stream.create_topic(topic, 4)
    both, one = bench.join("t", "u"), bench.join("u")
    settle(both, one)
    assert {partition.topic for partition in one.assignment} == {"u"}
    assert len(both.assignment) == len(one.assignment) == 4


def test_groups_do_not_know_of_each_other(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    bench.send(b"zero", partition=0)
    bench.send(b"one", partition=1)
    for group in ("a", "b"):
        assert sorted(values(take(bench.reader(group=group), 2))) == [b"one", b"zero"]


def test_a_rebalance_is_seen_before_messages_and_everything_is_sought_again(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    for number in (0, 1):
        bench.send(*(b"x" for _ in range(10)), partition=number)
    first = bench.reader()
    assert len(first.poll(3, MANY, 0)) == 3
    first.pause(list(first.assignment))
    generation = first.generation

    second = bench.join()
    assert first.generation == generation
    assert first.poll(MANY, MANY, PATIENCE) == []
    assert first.generation > generation
    assert len(first.assignment) == 1
    assert first.poll(MANY, MANY, 0) == []  # sought in the last generation, not in this one
    settle(first, second)
    start(first, bench.stream)
    assert len(take(first, 10)) == 10  # and no longer paused


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


def test_commit_is_for_display_only(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    zero, one = Partition("t", 0), Partition("t", 1)
    bench.send(b"a", b"b")
    consumer = bench.reader()
    assert bench.stream.committed("g", zero) is None
    consumer.commit({zero: 2, one: 0})
    consumer.commit({zero: 1})
    assert (bench.stream.committed("g", zero), bench.stream.committed("g", one)) == (1, 0)
    assert bench.stream.committed("other", zero) is None
    assert len(take(consumer, 2)) == 2
    consumer.commit({Partition("gone", 0): 5})
    consumer.close()
    assert bench.stream.committed("g", zero) == 1
    assert len(take(bench.reader(), 2)) == 2  # from where it was sought


def test_poll_waits_for_what_comes_and_no_longer_than_it_may(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    consumer = bench.reader()
    begun = time.monotonic()
    assert consumer.poll(MANY, MANY, 0.15) == []
    assert 0.1 < time.monotonic() - begun < 2
    polled: list[list[Message]] = []
    waiting = threading.Thread(target=lambda: polled.append(consumer.poll(MANY, MANY, PATIENCE)))
    waiting.start()
    bench.send(b"x")
    waiting.join(PATIENCE)
    assert [values(messages) for messages in polled] == [[b"x"]]


def test_a_waiting_member_sees_a_rebalance(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    first = bench.reader()
    waiting = threading.Thread(target=lambda: first.poll(MANY, MANY, PATIENCE * 5))
    waiting.start()
    bench.join()
    waiting.join(PATIENCE)
    assert not waiting.is_alive()
    assert len(first.assignment) == 1


def test_threads_have_a_producer_each(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)

    def produce(name: int) -> None:
        producer = bench.stream.producer()
        for i in range(300):
            producer.send("t", b"%d %d" % (name, i), key=b"%d" % name)
            if i % 50 == 0:
                producer.flush()
        producer.close()

    threads = [threading.Thread(target=produce, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    messages = take(bench.reader(), 1200)
    for thread in threads:
        thread.join()
    for name in range(4):
        mine = [message.value for message in messages if message.key == b"%d" % name]
        assert mine == [b"%d %d" % (name, i) for i in range(300)]


def test_a_closed_consumer_says_so(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    consumer = bench.reader()
    consumer.close()
    consumer.close()
    for use in (
        lambda: consumer.poll(MANY, MANY, 0),
        lambda: consumer.seek(Partition("t", 0), 0),
        lambda: consumer.commit({}),
    ):
        with pytest.raises(StreamError):
            use()


def test_a_stream_closes_twice(bench: Bench) -> None:
    bench.stream.close()
    bench.stream.close()
