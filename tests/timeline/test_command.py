"""`replaylake ingest timeline`, from JSON events on the stream to steps in the lake."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ingest import EmbeddedStream
from ingest.mapping import RecordMapping
from ingest.timeline import Released, Timeline
from replaylake import Lake, timeline_once
from schemas.errors import UsageError
from tests.cli.command import call, ok
from tests.cli.conftest import folder, logs  # noqa: F401
from tests.timeline.events import ARCHIVE

MAPPING = """
columns:
  kind: {field: type, type: string}
  user: {field: user, type: string}
  impression: {field: impression, type: string}
  event_time: at
  observation: {vector: [price, {field: age}]}
  action: shown
  reward: worth
  event_id: id
timeline:
  session: user
  kind: kind
  steps: [view]
  ends: {values: [logout], terminated: true}
  rewards:
    - {values: [click], key: impression, window: 10m}
"""


def event(kind: str, minute: int, **rest: Any) -> bytes:
    """Write an event of one user as a foreign program would."""
    common = {"type": kind, "user": "ann", "at": f"2026-05-29T12:{minute:02}:00Z", "id": f"{kind}{minute}"}
    return json.dumps(common | rest).encode()


def view(minute: int, impression: str) -> bytes:
    """Write a step."""
    return event("view", minute, impression=impression, price=2.5, age=float(minute), shown=1)


EVENTS = [
    view(0, "i"),
    view(2, "j"),
    event("click", 1, impression="i", worth=3),
    b"garbage",
    event("click", 4, impression="nobody's", worth=1),
    event("logout", 5),
    view(6, "k"),
]
SOURCE = ("--topic", "clicks", "--mapping", "shop.yaml")


@pytest.fixture
def shop() -> Lake:
    """A lake whose stream holds events."""
    lake = Lake("lake")
    lake.create("shop", spec=ARCHIVE)
    Path("shop.yaml").write_text(MAPPING)
    with EmbeddedStream(lake.folder / ".stream") as stream:
        stream.create_topic("clicks", 1)
        send(stream, *EVENTS)
    return lake


def send(stream: EmbeddedStream, *values: bytes) -> None:
    """Publish messages of the events' topic."""
    producer = stream.producer()
    for value in values:
        producer.send("clicks", value)
    producer.close()


def build(*words: str) -> Any:
    """Run the verb, and return its document."""
    return ok(
        "ingest", "timeline", "shop", "--topic", "clicks", "--mapping", "shop.yaml", *words, "--json"
    ).document


def test_events_become_steps_of_the_lake(shop: Lake) -> None:
    first = build("--once")
    assert (first["events"], first["steps"], first["refused"]) == (7, 0, 1)  # the watermark is at one minute
    done = build("--once", "--close")
    assert (done["events"], done["steps"]) == (0, 3)
    assert done["reasons"] == {"reward_without_step": 1}
    landed = ok("ingest", "shop", "--once", "--json").document
    assert (landed["accepted"], landed["quarantined"]) == (3, 2)
    rows = shop.sql("select step, reward, terminated, observation from shop.steps order by event_time").rows()
    assert rows == [(0, 3.0, False, [2.5, 0.0]), (1, 0.0, True, [2.5, 2.0]), (0, 0.0, False, [2.5, 6.0])]
    raws = {raw for (raw,) in shop.sql("select raw from shop.quarantine").rows()}
    assert raws == {b"garbage", EVENTS[4]}


def test_people_see_what_was_built_and_what_comes_next(shop: Lake) -> None:
    outcome = ok("ingest", "timeline", "shop", *SOURCE, "--once", "--close")
    assert "steps" in outcome.out and "reward_without_step" in outcome.out
    assert "replaylake ingest shop --once" in outcome.err


def test_a_clock_far_ahead_is_refused_and_harms_nobody(shop: Lake) -> None:
    with EmbeddedStream(shop.folder / ".stream") as stream:
        ahead = json.loads(view(7, "x")) | {"at": "2200-01-01T00:00:00Z"}
        send(stream, json.dumps(ahead).encode(), view(8, "y"))
    done = build("--once", "--close")
    assert (done["reasons"]["clock_skew"], done["reasons"].get("late", 0), done["steps"]) == (1, 0, 3)


def test_a_signal_saves_what_is_held(shop: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Timeline.feed

    def feed_and_be_stopped(self: Timeline, mapped: Any) -> Released:
        released = feed(self, mapped)
        os.kill(os.getpid(), signal.SIGTERM)
        return released

    monkeypatch.setattr(Timeline, "feed", feed_and_be_stopped)
    assert build("--follow")["events"] == 7
    monkeypatch.setattr(Timeline, "feed", feed)
    assert build("--once", "--close")["steps"] == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Neither of --once and --follow"),
        (("--once", "--follow"), "Both of --once and --follow"),
        (("--follow", "--close"), "--once --close"),
        (("--once", "--topic", "nowhere"), "nowhere"),
        (("--once", "--topic", ARCHIVE.topic), "the archive's own"),
        (("--once", "--mapping", "none.yaml"), "none.yaml"),
    ],
)
def test_mistakes_are_told(shop: Lake, words: tuple[str, ...], said: str) -> None:
    ok("ingest", "shop", "--once")  # makes the archive's topic
    outcome = call("ingest", "timeline", "shop", *SOURCE, *words)
    assert outcome.code == 2 and said in outcome.err


def test_a_mapping_without_a_timeline_is_told(shop: Lake) -> None:
    mapping = RecordMapping.from_dict(
        {"columns": {"observation": "o", "action": "a", "terminated": "t", "truncated": "u"}}
    )
    with pytest.raises(UsageError, match="no section `timeline`"):
        timeline_once(shop, "shop", "clicks", mapping)


def test_an_archive_called_timeline_can_still_be_ingested() -> None:
    Lake("lake").create("timeline", spec=ARCHIVE.model_copy(update={"name": "timeline"}))
    for words in (("--once", "timeline"), ("--once", "--", "timeline")):
        assert ok("ingest", "--json", *words).document["accepted"] == 0
