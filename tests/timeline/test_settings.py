"""The `timeline` section: what may stand there, and what is said of what may not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.timeline import EndEvents, TimelineSpec
from ingest.timeline.durations import duration, duration_text
from schemas.errors import SpecError

FULL = {
    "session": ["user_id"],
    "kind": "kind",
    "steps": ["view", "recommend"],
    "ends": {"values": ["logout"], "terminated": True},
    "rewards": [{"values": ["click"], "key": "impression_id", "window": "10m", "value": 1}],
}


def test_a_spec_reads_what_it_wrote() -> None:
    spec = TimelineSpec.from_json(FULL)
    assert TimelineSpec.from_json(spec.to_json()) == spec
    assert spec.ends == (EndEvents(values=("logout",), terminated=True),)
    assert spec.window == timedelta(minutes=10)
    assert spec.columns == {"user_id", "event_time", "kind", "impression_id"}
    assert spec.hash != TimelineSpec.from_json(FULL | {"timeout": "29m"}).hash


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"session": []}, "session"),
        ({"timeout": "soon"}, "a duration such as 30m"),
        ({"timeout": 0}, "timeout is 0"),
        ({"lateness": "-5m"}, "a duration"),
        ({"kind": None}, "no `kind` says"),
        ({"steps": []}, "`steps` does not say"),
        ({"ignores": ["view"]}, "'view' is named twice"),
        ({"last_step": "drop"}, "last_step"),
        ({"default_reward": float("nan")}, "default_reward"),
        ({"max_events": 0}, "max_events"),
        ({"windows": 1}, "windows"),
    ],
)
def test_what_cannot_be_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match="The timeline is not possible") as caught:
        TimelineSpec.from_json(FULL | changes)
    assert said in caught.value.message
    assert "docs/timeline.md" in caught.value.hint


@pytest.mark.parametrize(
    ("given_", "seconds"),
    [("30m", 1800), ("1h30m", 5400), ("500ms", 0.5), ("1.5s", 1.5), (90, 90), ("90", 90), ("2d", 172_800)],
)
def test_durations_read_as_people_write_them(given_: object, seconds: float) -> None:
    assert duration(given_) == timedelta(seconds=seconds)


@pytest.mark.parametrize("wrong", ["", "m", "5 parsecs", "1m-", True, None, -1, float("inf"), "1e9d", [3]])
def test_what_is_no_duration_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(wrong)


@given(st.timedeltas(timedelta(0), timedelta(days=30_000)))
def test_a_written_duration_reads_the_same(value: timedelta) -> None:
    assert duration(duration_text(value)) == value
