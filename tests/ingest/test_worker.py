"""Where a worker begins, what it passes over, and how it behaves while the lake is slow."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ingest import FlushPolicy, Worker
from ingest.streams.group_consumer import GroupConsumer
from lake import Archive, ArchiveLanding
from schemas.errors import StreamError, UsageError
from schemas.protocols import Message, Partition
from tests.ingest.samples import drain, landed, make_archive, make_intake, make_stream, send, step

HOME = Partition("replaylake.demo", 0)


def test_a_fresh_archive_begins_with_what_the_stream_still_has(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path, partitions=2)
    with stream:
        send(stream, topic, *(step(number) for number in range(6)))
        stream.trim(HOME, 4)
        drain(stream, make_intake(archive, topic))
        assert landed(archive) == Counter([4.0, 5.0])
        send(stream, topic, step(6))
        drain(stream, make_intake(archive, topic))
    assert landed(archive) == Counter([4.0, 5.0, 6.0])


def test_a_fresh_archive_of_a_stream_that_has_nothing_left(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, step(0), step(1))
        stream.trim(HOME, 2)
        drain(stream, make_intake(archive, topic))
        assert landed(archive) == Counter()
        send(stream, topic, step(2))
        drain(stream, make_intake(archive, topic))
    assert landed(archive) == Counter([2.0])


def test_an_archive_begins_where_it_is_told_and_only_once(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path, partitions=2)
    with stream:
        send(stream, topic, *(step(number) for number in range(5)))
        send(stream, topic, *(step(number) for number in (10, 11, 12)), partition=1)
        intake = make_intake(archive, topic)
        intake.begin_at({HOME: 3, Partition(topic.name, 1): 0})
        with pytest.raises(UsageError, match="begun already"):
            intake.begin_at({HOME: 0})
        drain(stream, make_intake(archive, topic))
        assert landed(archive) == Counter([3.0, 4.0, 10.0, 11.0, 12.0])
        with pytest.raises(UsageError, match="'demo' has begun already"):
            make_intake(archive, topic).begin_at({HOME: 0})


def test_a_topic_that_was_made_again_stops_the_worker(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, step(0))
        with Worker(stream, [make_intake(archive, topic)], "test") as worker:
            worker.run_to_end()
            stream.delete_topic(topic.name)
            again = stream.create_topic(topic.name, 1)
            send(stream, again, step(1), step(2))
            with pytest.raises(StreamError, match="made again"):
                worker.run_until(threading.Event())
        drain(stream, make_intake(archive, again))
    assert landed(archive) == Counter([0.0, 1.0, 2.0])


class SlowLanding(ArchiveLanding):
    """Land only when it is told."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(archive)
        self.asked = threading.Event()
        self.go_on = threading.Event()

    def commit(self, *given: Any) -> int:
        self.asked.set()
        assert self.go_on.wait(60)
        return super().commit(*given)


def test_a_worker_whose_lake_is_slow_stays_in_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.worker.worker._MEMBERSHIP", 0.01)
    polls = threading.Semaphore(0)
    poll = GroupConsumer.poll

    def counted(consumer: GroupConsumer, *limits: Any) -> list[Message]:
        if landing.asked.is_set():
            polls.release()
        return poll(consumer, *limits)

    monkeypatch.setattr(GroupConsumer, "poll", counted)
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    landing = SlowLanding(archive)
    with stream:
        send(stream, topic, *(step(number) for number in range(20)))
        intake = make_intake(archive, topic, landing=landing)
        with Worker(stream, [intake], "test", flush=FlushPolicy(rows=1)) as worker:
            running = threading.Thread(target=worker.run_to_end)
            running.start()
            for _ in range(10):
                assert polls.acquire(timeout=60)
            landing.go_on.set()
            running.join(60)
            assert not running.is_alive()
    assert landed(archive) == Counter(float(number) for number in range(20))


def test_two_archives_of_one_topic_need_a_worker_each(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream, pytest.raises(UsageError, match="one topic"):
        Worker(stream, [make_intake(archive, topic), make_intake(archive, topic)], "test")
