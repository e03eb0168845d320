"""What every stream must do for those who read."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest

from schemas.errors import NotFoundError, PositionLostError, StreamError, UsageError
from schemas.protocols import Bounds, Message, Partition
from tests.contracts.bench import MANY, PATIENCE, Bench, values


def test_nothing_comes_before_it_is_sought(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    bench.send(b"zero", partition=0)
    bench.send(b"one", partition=1)
    consumer = bench.join()
    assert (consumer.assignment, consumer.generation) == (frozenset(), 0)
    # A topic that was just made may be given out later than the group is joined.
    while consumer.assignment != {Partition("t", 0), Partition("t", 1)}:
        assert consumer.poll(MANY, MANY, PATIENCE) == []  # at once where the assignment is new
    assert consumer.generation > 0
    assert bench.nothing_more(consumer)
    consumer.seek(Partition("t", 1), 0)
    assert values(bench.take(consumer, 1)) == [b"one"]


def test_seek_goes_anywhere_that_is_held_and_to_the_end(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    partition = Partition("t", 0)
    bench.send(*(b"%d" % i for i in range(10)))
    consumer = bench.reader()
    assert [message.offset for message in bench.take(consumer, 10)] == list(range(10))
    consumer.seek(partition, 7)
    assert values(bench.take(consumer, 3)) == [b"7", b"8", b"9"]
    consumer.seek(partition, 10)
    assert bench.nothing_more(consumer)
    bench.send(b"10")
    assert values(bench.take(consumer, 1)) == [b"10"]
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
    assert sorted(values(bench.take(consumer, 5))) == [b"6", b"7", b"8", b"9", b"other"]
    with pytest.raises(PositionLostError) as caught:
        consumer.seek(partition, 5)
    assert (caught.value.wanted, caught.value.earliest, caught.value.end) == (5, 6, 10)
    assert bench.stream.trim(partition, 99) == Bounds(10, 10)
    bench.send(b"10")
    assert [message.offset for message in bench.take(consumer, 1)] == [10]


def test_a_poll_that_was_overtaken_by_a_trim_says_so(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    bench.send(*(b"%d" % i for i in range(10)))
    consumer = bench.reader()
    some = len(bench.poll(consumer, 3))  # a real broker may bring fewer at first
    assert 0 < some <= 3
    consumer.pause([Partition("t", 0)])
    bench.stream.trim(Partition("t", 0), 8)
    consumer.resume([Partition("t", 0)])
    try:  # what a client fetched before may still come, but nothing is left out
        assert [message.offset for message in bench.take(consumer, 10 - some)] == list(range(some, 10))
    except PositionLostError as exc:
        assert (exc.wanted, exc.earliest, exc.end) == (some, 8, 10)


def test_poll_keeps_to_its_limits_but_brings_one(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    bench.send(*(b"x" * 100 for _ in range(10)))
    consumer = bench.reader()
    partition = Partition("t", 0)
    for messages, size, most in ((4, MANY, 4), (MANY, 250, 2), (MANY, 300, 3), (MANY, 1, 1)):
        consumer.seek(partition, 0)
        assert 1 <= len(bench.poll(consumer, messages, size)) <= most
    consumer.seek(partition, 0)
    assert [len(bench.poll(consumer, MANY, 0)) for _ in range(10)] == [1] * 10
    assert bench.nothing_more(consumer)


def test_a_large_message_waits_for_the_next_poll(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    bench.send(b"s", b"L" * 1000, b"s")
    bench.send(b"s", b"L" * 1000, b"s", partition=1)
    consumer = bench.reader()
    taken: list[Message] = []
    while len(taken) < 6:
        batch = bench.poll(consumer, MANY, 100)
        assert len(batch) == 1 or sum(map(len, values(batch))) <= 100
        taken += batch
    for number in (0, 1):
        mine = [message.offset for message in taken if message.partition == number]
        assert mine == [0, 1, 2]


def test_pause_and_resume(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    zero, one = Partition("t", 0), Partition("t", 1)
    for number in (0, 1):
        bench.send(b"a", b"b", partition=number)
    consumer = bench.reader()
    first = bench.poll(consumer, 1)[0].partition
    consumer.pause([Partition("t", first)])
    other = bench.take(consumer, 2)
    assert {message.partition for message in other} == {1 - first}
    consumer.pause([zero, one])
    assert bench.nothing_more(consumer)
    consumer.resume([zero, one])
    assert [(message.partition, message.value) for message in bench.take(consumer, 1)] == [(first, b"b")]
    with pytest.raises(UsageError):
        consumer.pause([Partition("t", 2)])


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


def test_positions_follow_what_was_delivered(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    zero, one = Partition("t", 0), Partition("t", 1)
    bench.send(*(b"%d" % i for i in range(5)))
    consumer = bench.reader()
    assert consumer.positions == {zero: 0, one: 0}
    some = len(bench.poll(consumer, 3))
    assert 0 < some <= 3
    assert consumer.positions == {zero: some, one: 0}
    bench.take(consumer, 5 - some)
    assert consumer.positions == {zero: 5, one: 0}
    consumer.seek(zero, 1)
    assert consumer.positions == {zero: 1, one: 0}


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


def test_an_offset_is_found_by_its_time(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    zero, one = Partition("t", 0), Partition("t", 1)
    bench.send(*(b"%d" % i for i in range(5)))
    stamps = [message.timestamp_ms for message in bench.take(bench.reader(), 5)]

    def at(ms: int) -> int:
        return bench.stream.offset_at(zero, datetime.fromtimestamp(ms / 1000, UTC))

    assert at(0) == 0
    assert at(stamps[2]) == stamps.index(stamps[2])
    assert at(stamps[-1] + 1) == 5
    assert bench.stream.offset_at(one, datetime.now(UTC)) == 0
    bench.stream.trim(zero, 3)
    assert at(0) == 3
    with pytest.raises(NotFoundError):
        bench.stream.offset_at(Partition("t", 2), datetime.now(UTC))
