"""Records of version 1 come in whole: each of their fields can be found in the step that they become."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.archive_spec import ArchiveSpec
from schemas.decode import decode
from schemas.errors import VersionError, WireError
from schemas.spaces import Box, Discrete
from schemas.upgrades import upgrade
from tests.schemas.strategies import messages, texts

SPEC = ArchiveSpec(name="demo", observation=Box(shape=(2,)), action=Discrete(n=2))
OLD: dict[str, Any] = {
    "state": [0.5, 1.0],
    "action": 1,
    "reward": 2.0,
    "next_state": [1.0, 1.5],
    "done": False,
    "agent_id": "a",
    "timestamp": "2026-01-01T00:00:00Z",
    "priority": 0.5,
}
RENAMED = {"state": "observation", "next_state": "next_observation", "timestamp": "event_time"}
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
unknown_names = texts.filter(lambda name: name not in OLD and name not in ("version", "observation"))


@settings(deadline=None)
@given(
    kept=st.sets(st.sampled_from(sorted(OLD.keys() - {"state", "done"}))),
    done=st.booleans(),
    others=st.dictionaries(
        unknown_names | st.sampled_from(["info", "truncated", "timeout", "event_id"]), json_values, max_size=3
    ),
)
def test_every_field_can_be_found_again(kept: set[str], done: bool, others: dict[str, Any]) -> None:
    record = {name: OLD[name] for name in kept} | {"state": OLD["state"], "done": done} | others

    found = decode(messages([json.dumps(record).encode()]), SPEC, "topic-id")

    assert found.faults == ()
    [step] = found.table.to_pylist()
    for name in ("state", "action", "reward", "next_state", "agent_id", "priority"):
        if name in record:
            assert step[RENAMED.get(name, name)] == record[name]
    if "timestamp" in record:
        assert step["event_time"].isoformat() == "2026-01-01T00:00:00+00:00"
    assert (step["terminated"] or step["truncated"]) is done
    assert not (step["terminated"] and step["truncated"])
    assert (json.loads(step["info"]) if step["info"] else {}) == others
    assert (step["episode_id"], step["step"], step["action_log_prob"]) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({}, (False, False)),
        ({"done": True}, (True, False)),
        ({"done": True, "truncated": True}, (False, True)),
        ({"done": True, "timeout": True}, (False, True)),
        ({"done": True, "info": {"TimeLimit.truncated": True}}, (False, True)),
        ({"done": True, "TimeLimit.truncated": False}, (True, False)),
        ({"done": True, "info": "TimeLimit.truncated"}, (True, False)),
        ({"done": False, "truncated": True}, (False, False)),
    ],
)
def test_done_is_terminated_unless_it_was_a_time_limit(
    changes: dict[str, Any], ends: tuple[bool, bool]
) -> None:
    step = upgrade(OLD | changes, "here")
    assert (step["terminated"], step["truncated"]) == ends


def test_the_key_is_the_content_where_there_is_a_time_and_else_the_position() -> None:
    first, again, other = (upgrade(OLD | changes, "here") for changes in ({}, {}, {"reward": 3.0}))
    assert first["event_id"] == again["event_id"] != other["event_id"]

    timeless = {name: value for name, value in OLD.items() if name != "timestamp"}
    line = json.dumps(timeless).encode()
    ids = decode(messages([line, line]), SPEC, "topic-id").table["event_id"].to_pylist()
    assert ids == ["topic-id/0/0/0", "topic-id/0/1/0"]


@pytest.mark.parametrize("done", [None, 1, "true", [True]])
def test_done_that_is_not_true_or_false_is_refused(done: object) -> None:
    with pytest.raises(WireError, match="true or false is expected"):
        upgrade({"state": [1.0], "done": done}, "here")


@pytest.mark.parametrize("version", [0, 3, "2", "1", True, 1.5, [1], {"a": 1}, "x" * 10_000, -1, 10**400])
def test_an_unknown_version_is_refused_in_one_short_line(version: object) -> None:
    with pytest.raises(VersionError, match="Upgrade replaylake") as caught:
        upgrade(OLD | {"version": version}, "here")
    assert len(str(caught.value)) < 250
    assert caught.value.reason == "unsupported_version"


@pytest.mark.parametrize("version", [None, 2, 2.0])
def test_a_record_of_today_is_left_as_it_is(version: object) -> None:
    record = {"observation": [1.0], "state": 1, "version": version}
    assert upgrade(record, "here") is record


def test_a_version_that_is_named_decides_over_the_fields() -> None:
    assert upgrade(OLD | {"version": 1, "observation": 5}, "here")["observation"] == OLD["state"]
    assert upgrade(OLD | {"version": 2}, "here")["state"] == OLD["state"]
