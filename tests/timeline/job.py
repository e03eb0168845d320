"""A topic of JSON events, and what builds steps from it, in this process or in one that is killed."""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ingest import EmbeddedStream, PollPolicy
from ingest.records import Mapped
from ingest.timeline import SavedStates, SavePolicy, TimelineSpec, TimelineStage, TopicTimeline
from schemas.protocols import Message, Stream
from tests.timeline.events import ARCHIVE, Line, click, end, mapped, step

EVENTS = "shop.events"
SPEC = TimelineSpec.from_json(
    {
        "session": "user",
        "timeout": "20s",
        "lateness": "4s",
        "kind": "kind",
        "steps": "view",
        "ends": {"values": "logout", "terminated": True},
        "rewards": {"values": "click", "key": "impression", "window": "6s"},
        "gap": "5s",
    }
)
_SPARE = ["order"]


def log(seed: int, events: int) -> list[Line]:
    """Return a log of a dozen users, out of order by some seconds, with late and lost events in it."""
    chance = random.Random(seed)
    lines = []
    for number in range(events):
        at = max(0.0, number / 4 + chance.choice([0, 0, -1, -3, -3.5, -8]))
        user, name = f"{seed}-{chance.randrange(12)}", f"{seed}:{number}"
        match chance.randrange(10):
            case 0:
                lines.append(end(user, at, event_id=name))
            case 1 | 2:
                impression = f"{seed}:{number - chance.randrange(40)}"
                lines.append(click(impression, at, chance.choice([0.1, 0.2, 1.0]), event_id=name))
            case _:
                lines.append(step(user, float(round(at)), impression=name, event_id=name))
    return lines


def publish(stream: Stream, logs: Sequence[Sequence[Line]]) -> None:
    """Send logs, one to each partition, durably."""
    producer = stream.producer()
    for partition, lines in enumerate(logs):
        for line in lines:
            producer.send(EVENTS, line.raw, partition=partition)
    producer.close()


def read(messages: Sequence[Message]) -> Mapped:
    """Map messages of the topic."""
    lines = []
    for message in messages:
        fields = json.loads(message.value)
        seen = fields.pop("observation")
        lines.append(Line(**fields, observation=None if seen is None else tuple(seen)))
    # The bytes as they came, as a source has them.
    return replace(mapped(lines, _SPARE), raw=lambda index: messages[index].value)


def bulk_of(lines: Sequence[Line]) -> Mapped:
    """Map a whole log as the topic's messages are."""
    return mapped(lines, _SPARE)


def job(stream: Stream) -> TopicTimeline:
    """Return what builds the archive's steps."""
    return TopicTimeline(stream.topic(EVENTS), stream.topic(ARCHIVE.topic), read, SPEC, ARCHIVE)


def follow(stream_folder: Path, states: Path) -> None:
    """Build steps until killed, saving often."""
    with EmbeddedStream(stream_folder, session_timeout=2.0) as stream:
        saved = SavedStates(states, stream.topic(EVENTS), SPEC.hash)
        stage = TimelineStage(
            stream,
            job(stream),
            saved,
            "timeline",
            save=SavePolicy(messages=150, seconds=0.05),
            poll=PollPolicy(messages=40),
            on_progress=lambda report: print(report.events, flush=True),  # noqa: T201
        )
        with stage:
            stage.run_until(threading.Event())


if __name__ == "__main__":
    follow(Path(sys.argv[1]), Path(sys.argv[2]))
