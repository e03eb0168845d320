"""What every stream must do for those who write: one suite, passed by each implementation."""

from __future__ import annotations

import threading
import time

import pytest

from schemas.errors import NotFoundError, StreamError, UsageError
from schemas.protocols import Message, Partition
from tests.contracts.bench import Bench

# Both clients of Kafka read what one of them writes: the producer is the same.
pytestmark = pytest.mark.parametrize("bench", ["embedded", "memory", "kafka-confluent"], indirect=True)


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
        assert "there" in caught.value.known
    producer.close()
    with pytest.raises(NotFoundError):
        bench.stream.bounds(Partition("there", 4))
    with pytest.raises(UsageError):
        bench.stream.create_topic("none", 0)
    with pytest.raises(UsageError):
        bench.stream.consumer([], "g")


def test_messages_come_as_they_were_sent(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    producer = bench.stream.producer()
    headers = (("form", b"arrow/2"), ("bytes", bytes(range(256))), ("form", b""))
    producer.send("t", b"one", key=b"k", headers=headers)
    producer.send("t", b"", key=b"")
    producer.send("t", bytes(range(256)))
    producer.close()
    sent = time.time()
    expected = [
        Message("t", 0, 0, 0, b"k", b"one", headers),
        Message("t", 0, 1, 0, b"", b"", ()),
        Message("t", 0, 2, 0, None, bytes(range(256)), ()),
    ]
    consumer = bench.reader()
    found = bench.take(consumer, 3)
    assert [message._replace(timestamp_ms=0) for message in found] == expected
    assert all(abs(message.timestamp_ms / 1000 - sent) < 60 for message in found)
    consumer.seek(Partition("t", 0), 1)
    assert bench.take(consumer, 2) == found[1:]


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
    messages = bench.take(bench.reader(), 200)
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


def test_flush_and_close_make_durable(bench: Bench) -> None:
    bench.stream.create_topic("t", 1)
    partition = Partition("t", 0)
    producer = bench.stream.producer()
    producer.flush()
    producer.send("t", b"x")
    producer.flush()
    producer.flush()
    assert bench.stream.bounds(partition).end == 1
    producer.send("t", b"x")
    producer.close()
    producer.close()
    assert bench.stream.bounds(partition).end == 2
    with pytest.raises(StreamError):
        producer.send("t", b"x")


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
    messages = bench.take(bench.reader(), 1200)
    for thread in threads:
        thread.join()
    for name in range(4):
        mine = [message.value for message in messages if message.key == b"%d" % name]
        assert mine == [b"%d %d" % (name, i) for i in range(300)]
