"""A stream that is away, and a publisher that is full, forgotten or forked: nothing is lost unsaid."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingest import AsyncPublisher, EmbeddedStream, Limits, Linger, MemoryStream, Publisher
from schemas.archive_spec import ArchiveSpec
from schemas.errors import NotFoundError, StreamError, UsageError
from schemas.protocols import Stream
from schemas.spaces import Box, Discrete
from schemas.wire import decode_arrow

SPEC = ArchiveSpec(name="away", observation=Box(shape=(1,)), action=Discrete(n=2))
EAGER = Linger(rows=1)
PATIENT = Limits(rows=5, seconds=600)
HASTY = Limits(rows=5, seconds=0)


def step(number: int) -> dict[str, Any]:
    return {
        "episode_id": "e",
        "step": number,
        "observation": [0.0],
        "action": 0,
        "reward": 0.0,
        "terminated": False,
        "truncated": False,
    }


def steps_on(stream: Stream, wanted: int = 0) -> list[int]:
    """Return the steps on the stream, once there are as many as are wanted."""
    reader = stream.consumer([SPEC.topic], "reader")
    reader.poll(1, 1, 0)
    for partition in reader.assignment:
        reader.seek(partition, 0)
    found: list[int] = []
    while messages := reader.poll(1000, 1 << 24, 60 if len(found) < wanted else 0):
        for message in messages:
            found += decode_arrow(message.value)["step"].to_pylist()
    reader.close()
    return found


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[EmbeddedStream]:
    with EmbeddedStream(tmp_path, busy_timeout=0.01) as opened:
        yield opened


@pytest.fixture
def away(tmp_path: Path) -> Callable[[], AbstractContextManager[None]]:
    """Return how to hold the stream's lock: then it refuses every write, as a broker that is away."""

    @contextmanager
    def held() -> Iterator[None]:
        with (tmp_path / "stream.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    return held


Away = Callable[[], AbstractContextManager[None]]


def test_a_short_absence_is_not_noticed(stream: EmbeddedStream, away: Away) -> None:
    with Publisher(SPEC, stream, run="", linger=EAGER, limits=PATIENT) as publish:
        with away():
            for number in range(4):
                publish.publish(**step(number))
            with pytest.raises(StreamError, match="locked"):
                publish.flush()
            publish.publish(**step(4))
        assert steps_on(stream, 5) == [0, 1, 2, 3, 4]  # without a further call
    assert len(steps_on(stream)) == 5


def test_without_room_a_step_waits_for_it(stream: EmbeddedStream, away: Away) -> None:
    with Publisher(SPEC, stream, run="", linger=Linger(seconds=1e9), limits=PATIENT) as publish:
        with away():
            for number in range(5):
                publish.publish(**step(number))
            assert not publish.outbox.has_room
            waits = threading.Thread(target=lambda: publish.publish(**step(5)))
            waits.start()
        waits.join()
        assert publish.outbox.waiting == 1
    assert steps_on(stream) == [0, 1, 2, 3, 4, 5]


def test_without_room_in_time_a_step_is_refused_and_the_others_are_kept(
    stream: EmbeddedStream, away: Away
) -> None:
    limits = Limits(rows=5, seconds=0.05)
    with Publisher(SPEC, stream, run="", linger=Linger(seconds=1e9), limits=limits) as publish:
        with away():
            for number in range(5):
                publish.publish(**step(number))
            with pytest.raises(
                StreamError, match=r"In 0.05 s there was no room .* 5 wait .*locked.*not taken"
            ):
                publish.publish(**step(5))
        publish.flush()
        publish.publish(**step(5))
    assert steps_on(stream) == [0, 1, 2, 3, 4, 5]


def test_room_is_counted_in_bytes_too(stream: EmbeddedStream, away: Away) -> None:
    limits = Limits(bytes=10_000, seconds=0)
    with Publisher(SPEC, stream, run="", linger=Linger(seconds=1e9), limits=limits) as publish:
        with away():
            publish.publish(**step(0), info="x" * 20_000)
            with pytest.raises(StreamError, match="no room for another step: 1 wait"):
                publish.publish(**step(1))
    assert steps_on(stream) == [0]


def test_a_long_absence_is_told_by_the_next_call_which_takes_its_step(
    stream: EmbeddedStream, away: Away
) -> None:
    with Publisher(SPEC, stream, run="", linger=EAGER, limits=Limits(seconds=0)) as publish:
        told = threading.Event()
        publish.outbox.listen(told.set)
        with away():
            publish.publish(**step(0))
            told.wait()
            with pytest.raises(StreamError, match="locked"):
                publish.publish(**step(1))
    assert steps_on(stream) == [0, 1]


def test_another_failure_than_absence_is_told_at_once() -> None:
    stream = MemoryStream()
    publish = Publisher(SPEC, stream, run="", linger=EAGER)
    told = threading.Event()
    publish.outbox.listen(told.set)
    stream.delete_topic(SPEC.topic)
    publish.publish(**step(0))
    told.wait()
    with pytest.raises(NotFoundError):
        publish.publish(**step(1))
    with pytest.raises(StreamError, match="2 of its steps did not reach the stream: There is no topic"):
        publish.close()
    publish.close()


def test_what_cannot_be_sent_in_time_is_named_by_close(stream: EmbeddedStream, away: Away) -> None:
    publish = Publisher(SPEC, stream, run="", linger=Linger(seconds=1e9), limits=HASTY)
    publish.publish(**step(0))
    with away(), pytest.raises(StreamError, match=r"1 of its steps did not reach the stream: .*locked"):
        publish.close()
    with pytest.raises(StreamError, match="closed"):
        publish.publish(**step(1))
    publish.close()


def test_close_waits_for_the_stream(stream: EmbeddedStream, away: Away) -> None:
    publish = Publisher(SPEC, stream, run="", linger=Linger(seconds=1e9), limits=PATIENT)
    failed = threading.Event()
    publish.outbox.listen(failed.set)
    publish.publish(**step(0))
    closing = threading.Thread(target=publish.close)
    with away():
        closing.start()
        failed.wait()
    closing.join()
    assert steps_on(stream) == [0]


def test_a_publisher_that_is_forgotten_sends_and_warns() -> None:
    stream = MemoryStream()
    Publisher(SPEC, stream, run="", linger=Linger(seconds=1e9)).close()
    publish = Publisher(SPEC, stream, run="", linger=Linger(seconds=1e9))
    publish.publish(**step(0))
    with pytest.warns(ResourceWarning, match="'away' was not closed"):
        del publish
        gc.collect()
    assert steps_on(stream, 1) == [0]


FORGETFUL = """
import sys
from pathlib import Path
from ingest import EmbeddedStream, Linger, Publisher
from tests.ingest.test_publisher_away import SPEC, step
out = Publisher(SPEC, EmbeddedStream(Path(sys.argv[1])), run="", linger=Linger(seconds=1e9))
for number in range(3):
    out.publish(**step(number))
sys.exit(int(sys.argv[2]))
"""


@pytest.mark.parametrize("code", [0, 3])
def test_a_process_that_ends_without_closing_sends_first(tmp_path: Path, code: int) -> None:
    command = [sys.executable, "-c", FORGETFUL, str(tmp_path), str(code)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (code, "")
    with EmbeddedStream(tmp_path) as stream:
        assert steps_on(stream) == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # with threads, on purpose
def test_a_fork_leaves_the_publisher_to_its_parent() -> None:
    stream = MemoryStream()
    with Publisher(SPEC, stream, run="", linger=Linger(seconds=1e9)) as publish:
        publish.publish(**step(0))
        child = os.fork()
        if not child:
            try:
                publish.publish(**step(1))
            except StreamError as exc:
                publish.close()
                os._exit(0 if "fork" in str(exc) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert steps_on(stream) == [0]


def test_threads_may_share_a_publisher() -> None:
    stream = MemoryStream()
    with Publisher(SPEC, stream, run="", linger=Linger(rows=7), limits=Limits(rows=20)) as publish:

        def play(episode: int) -> None:
            for number in range(100):
                publish.publish(**(step(number) | {"episode_id": episode}))

        threads = [threading.Thread(target=play, args=(episode,)) for episode in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(steps_on(stream)) == sorted(list(range(100)) * 4)


def test_asyncio_goes_on_while_a_step_waits_for_room(stream: EmbeddedStream, away: Away) -> None:
    async def main() -> None:
        out = AsyncPublisher(
            lambda: Publisher(SPEC, stream, run="", linger=Linger(seconds=1e9), limits=PATIENT)
        )
        with pytest.raises(StreamError, match="not open"):
            await out.publish(**step(0))
        async with out:
            with away():
                for number in range(5):
                    await out.publish(**step(number))
                waits = [asyncio.create_task(out.publish(**step(number))) for number in range(5, 12)]
                with pytest.raises(StreamError, match="locked"):
                    await out.flush()
                assert not any(task.done() for task in waits)
            await asyncio.gather(*waits)
            await out.flush()
            columns = {name: [value] for name, value in step(12).items()}
            await out.publish_columns(columns, 1)
        await out.close()
        with pytest.raises(StreamError, match="closed"):
            await out.publish(**step(13))

    asyncio.run(main())
    assert sorted(steps_on(stream)) == list(range(13))


def test_asyncio_too_is_told_where_there_is_no_room_in_time(stream: EmbeddedStream, away: Away) -> None:
    async def main() -> None:
        def publisher() -> Publisher:
            limits = Limits(rows=2, seconds=0.05)
            return Publisher(SPEC, stream, run="", linger=Linger(seconds=1e9), limits=limits)

        async with AsyncPublisher(publisher) as out:
            with away():
                await out.publish(**step(0))
                await out.publish(**step(1))
                with pytest.raises(StreamError, match="no room for another step: 2 wait"):
                    await out.publish(**step(2))
            await out.flush()

    asyncio.run(main())
    assert steps_on(stream) == [0, 1]


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"bytes": 0}, {"seconds": -1}, {"seconds": float("nan")}])
@pytest.mark.parametrize("kind", [Linger, Limits])
def test_limits_that_cannot_be_are_refused(kind: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        kind(**wrong)
