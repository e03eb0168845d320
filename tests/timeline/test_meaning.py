"""What `docs/timeline.md` promises, one promise a test, over a stream and in bulk alike."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ingest.records import Mapped, Refused
from ingest.timeline import Released, Timeline, TimelineSpec, build_steps
from schemas.errors import SpecError, StepsError
from schemas.steps import Steps
from tests.timeline.events import ARCHIVE, START, Line, click, end, mapped, step
from tests.timeline.test_equal import together

BASE = {
    "session": "user",
    "timeout": "30s",
    "lateness": "5s",
    "kind": "kind",
    "steps": "view",
    "ends": [{"values": "logout", "terminated": True}, {"values": "cut", "terminated": False}],
    "rewards": [{"values": "click", "key": "impression", "window": "10s"}],
}


def spec_with(**changes: Any) -> TimelineSpec:
    """Return the timeline of these tests with changes."""
    return TimelineSpec.from_json(BASE | changes)


def built(lines: Sequence[Line], **changes: Any) -> Released:
    """Build steps in bulk and one by one, and return them once both are found equal."""
    spec = spec_with(**changes)
    bulk = build_steps(mapped(lines, ["order"]), spec, ARCHIVE)
    timeline = Timeline(spec, ARCHIVE)
    parts = [timeline.feed(mapped([line], ["order"])) for line in lines]
    stream = together([*parts, timeline.close()])
    assert rows(stream) == rows(bulk)
    assert sorted(stream.refused, key=str) == sorted(bulk.refused, key=str)
    assert stream.report == bulk.report
    return bulk


def rows(released: Released) -> list[dict[str, Any]]:
    """Return the steps by episode and number; every one of them must be possible in the archive."""
    Steps(released.steps, ARCHIVE)
    return sorted(released.steps.to_pylist(), key=lambda row: (row["episode_id"], row["step"]))


def column(released: Released, name: str) -> list[Any]:
    """Return one column of the steps by episode and number."""
    return [row[name] for row in rows(released)]


def reasons(released: Released) -> list[str]:
    """Return why events were refused."""
    return sorted(refused.reason for refused in released.refused)


def test_a_time_out_truncates_and_never_terminates() -> None:
    found = built([step("a", 0), step("a", 10), step("a", 20), step("a", 50.5)])
    assert column(found, "terminated") == [False] * 3
    assert column(found, "truncated") == [False, True, False]
    assert column(found, "next_observation") == [None, [20.0, 1.0], None]
    assert column(found, "step") == [0, 1, 0]
    assert found.report.folded == 1
    assert found.report.sessions == 2


def test_a_silence_as_long_as_the_time_out_does_not_end_a_session() -> None:
    assert column(built([step("a", 0), step("a", 30)]), "truncated") == [True]
    assert column(built([step("a", 0), step("a", 30.5)]), "truncated") == [False, False]


def test_the_last_step_may_be_kept_as_an_incomplete_end() -> None:
    found = built([step("a", 0), step("a", 10)], last_step="keep")
    assert column(found, "truncated") == column(found, "terminated") == [False, False]
    assert column(found, "next_observation") == [None, None]


def test_a_next_observation_of_the_log_is_kept_and_ends_the_session_truncated() -> None:
    found = built([step("a", 0, next_observation=(7.0, 7.0)), step("a", 10, next_observation=(8.0, 8.0))])
    assert column(found, "next_observation") == [[7.0, 7.0], [8.0, 8.0]]
    assert column(found, "truncated") == [False, True]
    assert found.report.folded == 0


@pytest.mark.parametrize(("kind", "terminated", "steps"), [("logout", True, 2), ("cut", False, 1)])
def test_an_end_event_ends_as_its_entry_says(kind: str, terminated: bool, steps: int) -> None:
    found = built([step("a", 0), step("a", 1), end("a", 2, kind), step("a", 3), step("a", 4), end("a", 5)])
    first = rows(found)[:steps]
    assert (first[-1]["terminated"], first[-1]["truncated"]) == (terminated, not terminated)
    assert column(found, "step") == [*range(steps), 0, 1]


def test_flags_of_the_log_end_a_session_too() -> None:
    lines = [step("a", 0, terminated=True), step("a", 0), step("a", 0, truncated=True), step("a", 0)]
    found = built([replace(line, next_observation=(1.0, 2.0)) for line in lines])
    names = [name.partition(".000000Z")[2] for name in column(found, "episode_id")]
    assert names == ["", "#1", "#1", "#2"]  # though all began in the same microsecond
    assert column(found, "terminated") == [True, False, False, False]
    assert column(found, "truncated") == [False, False, True, True]


def test_an_end_without_a_session_is_refused() -> None:
    assert (
        reasons(built([end("a", 0), step("a", 1), end("a", 2), end("a", 3), end("a", 40)]))
        == ["end_without_step"] * 3
    )


def test_an_event_older_than_the_watermark_is_late() -> None:
    late = step("b", 4.5)
    found = built([step("a", 10), late, step("b", 5)])
    assert [(refused.raw, refused.reason) for refused in found.refused] == [(late.raw, "late")]
    assert "2026-05-29T00:00:04.500000+00:00" in found.refused[0].detail


def test_events_inside_the_watermark_are_put_in_order() -> None:
    found = built([step("a", 10), step("a", 6), step("a", 8), end("a", 11)])
    assert column(found, "observation") == [[6.0, 1.0], [8.0, 1.0], [10.0, 1.0]]


def test_events_of_one_time_stand_as_they_came() -> None:
    found = built([step("a", 1, action=action) for action in (2, 0, 1)] + [end("a", 2)])
    assert column(found, "action") == [2, 0, 1]


def test_a_reward_finds_the_last_step_of_its_key_inside_the_window() -> None:
    lines = [
        step("a", 0, impression="i"),
        step("b", 1, impression="i"),
        click("i", 11, 2.0),
        click("i", 11.5, 4.0),
        end("a", 12),
        end("b", 12),
    ]
    found = built(lines)
    assert column(found, "reward") == [0.0, 2.0]
    assert reasons(found) == ["reward_without_step"]


def test_a_reward_that_arrives_before_its_step_joins() -> None:
    found = built([click("i", 3), step("a", 2, impression="i"), end("a", 4)])
    assert column(found, "reward") == [1.0]


def test_a_reward_stamped_before_its_step_joins_where_clocks_may_differ() -> None:
    lines = [click("i", 1), step("a", 2, impression="i"), end("a", 4)]
    assert reasons(built(lines)) == ["reward_without_step"]
    apart = [{"values": "click", "key": "impression", "window": "10s", "before": "1s"}]
    assert column(built(lines, rewards=apart), "reward") == [1.0]


@pytest.mark.parametrize(
    ("how", "wanted"), [("sum", 0.25 + 3.5), ("last", 0.5 + 0.25), ("max", 2.0 + 0.25), ("first", 1.0 + 0.25)]
)
def test_rewards_are_combined_and_added_to_the_steps_own(how: str, wanted: float) -> None:
    lines = [step("a", 0, impression="i", reward=0.25), click("i", 1, 1.0), click("i", 3, 0.5)]
    lines += [click("i", 2, 2.0), end("a", 4)]
    rewards = [{"values": "click", "key": "impression", "window": "10s", "combine": how}]
    assert column(built(lines, rewards=rewards), "reward") == [wanted]


def test_a_reward_that_comes_twice_counts_once() -> None:
    again = click("i", 1, event_id="e")
    found = built([step("a", 0, impression="i"), again, again, end("a", 2)])
    assert column(found, "reward") == [1.0]
    assert found.report.duplicates == 1


def test_no_reward_is_the_default_and_without_reward_events_stays_unknown() -> None:
    lines = [step("a", 0), end("a", 1)]
    assert column(built(lines), "reward") == [0.0]
    assert column(built(lines, default_reward=None), "reward") == [None]
    found = build_steps(mapped(lines, ["order", "impression"]), spec_with(rewards=[]), ARCHIVE)
    assert column(found, "reward") == [None]


def test_gaps_are_noted_in_info_beside_what_the_log_says() -> None:
    lines = [step("a", 0), step("a", 6), step("a", 13, info='{"x": 1}'), step("a", 20.5, info="odd")]
    lines += [step("a", 30, info='{"gap_seconds": 1}'), step("a", 40, info="{}"), end("a", 60)]
    infos = column(built(lines, gap="6s"), "info")
    assert infos[0] is None
    assert [json.loads(info) for info in infos[1:]] == [
        {"gap_seconds": 7.0},
        {"x": 1, "gap_seconds": 7.5},
        {"gap_seconds": 9.5, "info": "odd"},
        {"gap_seconds": 1},
        {"gap_seconds": 20.0},
    ]


def test_what_is_wrong_with_an_event_costs_that_event_only() -> None:
    lines = [
        step("a", 0),
        Line("view", "a", None),
        step("a", -1e9),
        Line("hover", "a", 1),
        Line(None, "a", 1),
        Line("view", None, 1, observation=(1.0, 1.0), action=1),
        Line("click", None, 1, reward=1.0),
        Line("click", None, 1, impression="i"),
        click("i", 1, float("nan")),
        step("a", 2, observation=(1.0,)),
        step("a", 2, action=None),
        end("a", 3),
    ]
    found = built(lines)
    assert found.report.steps == 1
    assert Counter(reasons(found)) == {
        "no_time": 1,
        "clock_skew": 1,
        "unknown_kind": 2,
        "no_session": 1,
        "no_reward_key": 1,
        "no_reward": 2,
        "wrong_type(observation)": 1,
        "wrong_type(action)": 1,
    }


def test_a_value_that_does_not_fit_its_column_costs_its_row_only() -> None:
    lines = [step("a", at) for at in range(5)] + [end("a", 9)]
    good = mapped(lines, ["order"])
    actions = pa.array([0.0, 1.0, 1.5, 2.0, 0.0, None])
    table = good.table.set_column(good.table.column_names.index("action"), "action", actions)
    found = build_steps(replace(good, table=table), spec_with(), ARCHIVE)
    assert column(found, "action") == [0, 1, 2, 0]
    assert reasons(found) == ["wrong_type(action)"]
    assert found.refused[0].raw == lines[2].raw


def test_a_clock_ahead_of_its_message_does_not_make_others_late() -> None:
    lines = [step("a", 0), step("a", 1_000_000), step("a", 1), end("a", 2)]
    sent = np.full(4, START + 5_000_000)
    found = build_steps(replace(mapped(lines, ["order"]), sent=sent), spec_with(), ARCHIVE)
    assert reasons(found) == ["clock_skew"]
    assert column(found, "step") == [0, 1]


def test_propensities_and_other_columns_are_kept() -> None:
    found = built(
        [step("a", 0, action_probability=0.5, event_id="e", source="web"), end("a", 1, source="web")]
    )
    (row,) = rows(found)
    assert row["action_log_prob"] == pytest.approx(np.log(0.5))
    assert (row["event_id"], row["source"], row["agent_id"]) == ("e", "web", "default")


def test_agents_have_sessions_of_their_own() -> None:
    spec = TimelineSpec.from_json({"session": "game"})
    table = pa.table(
        {
            "game": ["g", "g", "g", "g"],
            "agent_id": ["x", "y", "x", "y"],
            "event_time": pa.array([START] * 4),
            "observation": [[0.0, 0.0]] * 4,
            "action": [0, 1, 2, 0],
        }
    )
    times = pa.array([START, START, START + 1, START + 1]).cast(pa.timestamp("us", "UTC"))
    found = build_steps(
        Mapped(table.set_column(2, "event_time", times), np.arange(4), ()), spec, ARCHIVE
    ).steps.to_pylist()
    assert [(row["agent_id"], row["step"], row["truncated"]) for row in found] == [
        ("x", 0, True),
        ("y", 0, True),
    ]
    assert {row["episode_id"] for row in found} == {"g@2026-05-29T00:00:00.000000Z"}


def test_what_the_mapping_refused_goes_on_with_the_rest() -> None:
    refused = Refused(b"?", "mapping(reward)", "no number")
    given = replace(mapped([step("a", 0)], ["order"]), refused=(refused,))
    found = build_steps(given, spec_with(), ARCHIVE)
    assert found.refused == (refused,)
    assert found.report.events == 2


def test_without_bytes_what_is_refused_is_shown_as_json() -> None:
    given = replace(mapped([Line("hover", "a", 1)], ["order"]), raw=None)
    (refused,) = build_steps(given, spec_with(), ARCHIVE).refused
    assert json.loads(refused.raw)["kind"] == "hover"


def test_columns_that_do_not_fit_the_timeline_are_named() -> None:
    lines = mapped([step("a", 0)], ["impression"])
    with pytest.raises(SpecError, match="names the column 'impression'"):
        build_steps(lines, spec_with(), ARCHIVE)
    with pytest.raises(StepsError, match="'order'"):
        Timeline(spec_with(), ARCHIVE).feed(mapped([step("a", 0)]))


def test_nothing_makes_nothing() -> None:
    assert build_steps([], spec_with(), ARCHIVE).steps.num_rows == 0
    assert built([]).report.events == 0
    assert Timeline(spec_with(), ARCHIVE).close().steps.num_rows == 0
