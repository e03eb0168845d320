"""The stage through crashes, restarts and hand-overs: the lake has what the bulk timeline makes, once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingest import EmbeddedStream, MemoryStream, PollPolicy
from ingest.timeline import SavedStates, SavePolicy, TimelineStage, build_steps
from ingest.timeline.saved import Saved
from lake import Lake
from replaylake import ingest_once
from schemas.errors import DataError, PositionLostError, StorageError, UsageError
from schemas.protocols import Partition, Stream
from tests.timeline.events import ARCHIVE, Line, step
from tests.timeline.job import EVENTS, SPEC, bulk_of, job, log, publish

ROOT = Path(__file__).parents[2]
SOON = SavePolicy(messages=50, seconds=0.01)
FEW = PollPolicy(messages=13, wait=0.01)


class CrashError(Exception):
    """Stand for the end of a process."""


class DyingStates(SavedStates):
    """Die at a save that was chosen before: before it is made, or after."""

    saves_left = 0
    after = False

    def save(self, partition: Partition, saved: Saved) -> None:
        self.saves_left -= 1
        if self.saves_left == 0 and not self.after:
            raise CrashError
        super().save(partition, saved)
        if self.saves_left == 0:
            raise CrashError


def topics(stream: Stream, partitions: int = 2) -> None:
    """Make the two topics."""
    stream.create_topic(EVENTS, partitions)
    stream.create_topic(ARCHIVE.topic, 3)


def states_of(stream: Stream, folder: Path, fingerprint: str = SPEC.hash) -> DyingStates:
    """Return the saved states of the events' topic."""
    return DyingStates(folder / "states", stream.topic(EVENTS), fingerprint)


@contextmanager
def stage_of(stream: Stream, states: SavedStates) -> Iterator[TimelineStage]:
    """Open a stage that saves often."""
    with TimelineStage(stream, job(stream), states, "timeline", save=SOON, poll=FEW) as stage:
        yield stage


def landed(lake: Lake, stream: Stream) -> list[Any]:
    """Ingest what was built, and return the steps of the lake."""
    ingest_once(lake, stream=stream)
    columns = "source, episode_id, step, event_id, observation, reward, terminated, truncated, info"
    return sorted(lake.sql(f"select {columns} from shop.steps").rows(), key=_place)


def wanted(logs: Sequence[Sequence[Line]]) -> tuple[list[Any], set[bytes]]:
    """Return the steps that the bulk timeline makes of logs, and what it refuses."""
    rows, refused = [], set()
    for lines in logs:
        built = build_steps(bulk_of(lines), SPEC, ARCHIVE)
        refused |= {one.raw for one in built.refused}
        rows += [
            (
                row["source"],
                row["episode_id"],
                row["step"],
                row["event_id"],
                row["observation"],
                row["reward"],
                row["terminated"],
                row["truncated"],
                row["info"],
            )
            for row in built.steps.to_pylist()
        ]
    return sorted(rows, key=_place), refused


def _place(row: Any) -> Any:
    return row[:3]


def check(lake: Lake, stream: Stream, logs: Sequence[Sequence[Line]]) -> None:
    """Compare the lake with the bulk timeline: every step once, and what was refused in quarantine."""
    steps, refused = wanted(logs)
    assert landed(lake, stream) == steps
    held = lake.sql("select raw from shop.quarantine").rows()
    assert {raw for (raw,) in held} == refused


def test_the_lake_has_what_the_bulk_timeline_makes(tmp_path: Path) -> None:
    lake, logs = Lake(tmp_path / "lake"), [log(1, 400), log(2, 300)]
    lake.create("shop", spec=ARCHIVE)
    stream = MemoryStream()
    topics(stream)
    publish(stream, logs)
    states = states_of(stream, tmp_path)
    with stage_of(stream, states) as stage:
        report = stage.run_to_end(close=True)
    check(lake, stream, logs)
    assert report.events == 700
    assert sum(Counter(report.refused).values()) == len(wanted(logs)[1])
    quarantined = lake.sql("select count(*) from shop.quarantine").rows()
    assert quarantined == [(report.refused.total(),)]  # without a crash each is there once
    with stage_of(stream, states) as stage:
        assert stage.run_to_end(close=True).events == 0


@pytest.mark.parametrize("seed", range(6))
def test_crashes_around_saves_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    lake, logs = Lake(tmp_path / "lake"), [log(seed, 300), log(seed + 100, 200)]
    lake.create("shop", spec=ARCHIVE)
    stream = MemoryStream()
    topics(stream)
    crashes = 0
    for part in range(3):
        publish(stream, [lines[part * len(lines) // 3 : (part + 1) * len(lines) // 3] for lines in logs])
        for _ in range(chance.randrange(1, 4)):
            states = states_of(stream, tmp_path)
            states.saves_left, states.after = chance.randrange(1, 6), chance.random() < 0.5
            with stage_of(stream, states) as stage:
                try:
                    stage.run_to_end()
                except CrashError:
                    crashes += 1
    assert crashes
    with stage_of(stream, states_of(stream, tmp_path)) as stage:
        stage.run_to_end(close=True)
    check(lake, stream, logs)


def test_two_stages_share_the_partitions_and_hand_over(tmp_path: Path) -> None:
    lake, logs = Lake(tmp_path / "lake"), [log(5, 200), log(6, 200), log(7, 200)]
    lake.create("shop", spec=ARCHIVE)
    stream = MemoryStream()
    topics(stream, 3)
    publish(stream, [lines[:100] for lines in logs])
    stop = threading.Event()
    with stage_of(stream, states_of(stream, tmp_path)) as first:
        follower = threading.Thread(target=first.run_until, args=[stop])
        follower.start()
        with stage_of(stream, states_of(stream, tmp_path)) as second:
            publish(stream, [lines[100:] for lines in logs])
            second.run_to_end()
        stop.set()
        follower.join()
    with stage_of(stream, states_of(stream, tmp_path)) as last:
        last.run_to_end(close=True)
    check(lake, stream, logs)


@pytest.mark.timeout(120)
def test_kill_9_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(8)
    lake, logs = Lake(tmp_path / "lake"), [log(11, 1200), log(12, 1200)]
    lake.create("shop", spec=ARCHIVE)
    with EmbeddedStream(tmp_path / "stream", session_timeout=2.0) as stream:
        topics(stream)
        for part in range(3):
            publish(stream, [lines[part * 400 : (part + 1) * 400] for lines in logs])
            folders = [str(tmp_path / "stream"), str(tmp_path / "states")]
            command = [sys.executable, "-m", "tests.timeline.job", *folders]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as running:
                assert running.stdout is not None
                for _ in range(chance.randrange(1, 3)):
                    assert running.stdout.readline()  # it has saved, and is on its way to the next
                running.kill()
        with stage_of(stream, states_of(stream, tmp_path)) as stage:
            stage.run_to_end(close=True)
        check(lake, stream, logs)


def test_a_changed_mapping_is_refused_while_sessions_are_open(tmp_path: Path) -> None:
    stream = MemoryStream()
    topics(stream, 1)
    publish(stream, [[step("a", 0)]])
    with stage_of(stream, states_of(stream, tmp_path)) as stage:
        stage.run_to_end()
    with (
        stage_of(stream, states_of(stream, tmp_path, "another")) as stage,
        pytest.raises(UsageError, match="has changed since") as caught,
    ):
        stage.run_to_end()
    assert str(tmp_path / "states") in caught.value.hint


def test_a_torn_state_is_refused(tmp_path: Path) -> None:
    stream = MemoryStream()
    topics(stream, 1)
    publish(stream, [[step("a", 0)]])
    with stage_of(stream, states_of(stream, tmp_path)) as stage:
        stage.run_to_end()
    (file,) = (tmp_path / "states").iterdir()
    whole = file.read_bytes()
    for torn, error in ((whole[:-3], DataError), (b"{}\n", StorageError), (b"", StorageError)):
        file.write_bytes(torn)
        with stage_of(stream, states_of(stream, tmp_path)) as stage, pytest.raises(error):
            stage.run_to_end()
    file.unlink()
    with stage_of(stream, states_of(stream, tmp_path)) as stage:
        assert stage.run_to_end().events == 1


def test_a_state_that_is_further_on_stays(tmp_path: Path) -> None:
    stream = MemoryStream()
    topics(stream, 1)
    states, partition = states_of(stream, tmp_path), Partition(EVENTS, 0)
    states.save(partition, Saved(7, b"later"))
    states.save(partition, Saved(5, b"earlier"))
    assert states.load(partition) == Saved(7, b"later")


def test_events_that_the_stream_lost_stop_the_stage(tmp_path: Path) -> None:
    stream = MemoryStream()
    topics(stream, 1)
    publish(stream, [log(3, 50)])
    with stage_of(stream, states_of(stream, tmp_path)) as stage:
        stage.run_to_end()
    publish(stream, [log(3, 50)])
    stream.trim(Partition(EVENTS, 0), 80)
    with stage_of(stream, states_of(stream, tmp_path)) as stage, pytest.raises(PositionLostError):
        stage.run_to_end()


def test_a_topic_that_begins_late_is_read_from_there(tmp_path: Path) -> None:
    stream = MemoryStream()
    topics(stream, 1)
    publish(stream, [log(3, 50)])
    stream.trim(Partition(EVENTS, 0), 20)
    with stage_of(stream, states_of(stream, tmp_path)) as stage:
        assert stage.run_to_end().events == 30
