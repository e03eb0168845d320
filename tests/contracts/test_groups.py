"""What every stream must do for those who read it together."""

from __future__ import annotations

import threading
import time

from schemas.protocols import Partition
from tests.contracts.bench import MANY, PATIENCE, Bench, values, wait_until


def test_a_group_shares_and_takes_over(bench: Bench) -> None:
    bench.stream.create_topic("t", 4)
    bench.stream.create_topic("u", 3)
    everything = {Partition("t", n) for n in range(4)} | {Partition("u", n) for n in range(3)}
    first = bench.reader("t", "u")
    assert first.assignment == everything
    alone = first.generation

    second = bench.join("t", "u")
    bench.settle(first, second)
    assert first.assignment | second.assignment == everything
    assert not first.assignment & second.assignment
    assert sorted([len(first.assignment), len(second.assignment)]) == [3, 4]
    assert first.generation > alone

    third = bench.join("t", "u")
    bench.settle(first, second, third)
    shares = [first.assignment, second.assignment, third.assignment]
    assert sorted(map(len, shares)) == [2, 2, 3]
    assert frozenset.union(*shares) == everything

    shared = first.generation
    second.close()
    third.close()
    bench.settle(first)  # without waiting for any time to pass
    assert first.assignment == everything
    assert first.generation > shared


def test_each_member_gets_what_it_asked_for(bench: Bench) -> None:
    for topic in ("t", "u"):
        bench.stream.create_topic(topic, 4)
    both, one = bench.join("t", "u"), bench.join("u")
    bench.settle(both, one)
    assert {partition.topic for partition in one.assignment} == {"u"}
    assert {Partition("t", number) for number in range(4)} <= both.assignment


def test_groups_do_not_know_of_each_other(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    bench.send(b"zero", partition=0)
    bench.send(b"one", partition=1)
    for group in ("a", "b"):
        assert sorted(values(bench.take(bench.reader(group=group), 2))) == [b"one", b"zero"]


def test_a_rebalance_is_seen_before_messages_and_everything_is_sought_again(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    for number in (0, 1):
        bench.send(*(b"x" for _ in range(10)), partition=number)
    first = bench.reader()
    assert 0 < len(bench.poll(first, 3)) <= 3
    first.pause(list(first.assignment))
    generation = first.generation

    second = bench.join()
    assert first.generation == generation  # as of the last poll
    bench.settle(first, second)
    assert first.generation > generation
    assert len(first.assignment) == 1
    assert first.positions == {}
    assert bench.nothing_more(first)  # sought in the last generation, not in this one
    bench.start(first)
    assert len(bench.take(first, 10)) == 10  # and no longer paused


def test_commit_is_for_display_only(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    zero, one = Partition("t", 0), Partition("t", 1)
    bench.send(b"a", b"b")
    consumer = bench.reader()
    assert bench.stream.committed("g", zero) is None
    consumer.commit({zero: 2, one: 0})
    consumer.commit({zero: 1})
    wait_until(lambda: bench.stream.committed("g", zero) == 1)
    assert bench.stream.committed("g", one) == 0
    assert bench.stream.committed("other", zero) is None
    assert len(bench.take(consumer, 2)) == 2
    consumer.commit({Partition("gone", 0): 5})
    consumer.close()
    assert bench.stream.committed("g", zero) == 1
    assert len(bench.take(bench.reader(), 2)) == 2  # from where it was sought


def test_a_waiting_member_sees_a_rebalance(bench: Bench) -> None:
    bench.stream.create_topic("t", 2)
    first = bench.reader()
    waiting = threading.Thread(target=lambda: first.poll(MANY, MANY, PATIENCE * 5))
    generation = first.generation
    waiting.start()
    second = bench.join()
    deadline = time.monotonic() + PATIENCE
    while waiting.is_alive() and time.monotonic() < deadline:
        second.poll(MANY, MANY, 0.5)
    waiting.join(0)
    assert not waiting.is_alive()
    assert first.generation > generation
