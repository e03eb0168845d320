"""Limits of what is held: met at the same event whatever the batches, and in bulk as over a stream."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.timeline import Released, Timeline, TimelineSpec, build_steps
from tests.timeline.events import ARCHIVE, Line, click, mapped, step
from tests.timeline.strategies import logs, specs
from tests.timeline.test_equal import made, rows_of, streamed, together
from tests.timeline.test_meaning import BASE, column, reasons, spec_with

EXAMPLES = int(os.environ.get("TIMELINE_EXAMPLES", "60"))


def one_by_one(lines: Sequence[Line], spec: TimelineSpec) -> tuple[Released, int]:
    """Feed lines one by one; return what came, and the most that was held."""
    timeline, parts, most = Timeline(spec, ARCHIVE), [], 0
    for line in lines:
        parts.append(timeline.feed(made([line], spec)))
        most = max(most, timeline.held)
    return together([*parts, timeline.close()]), most


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_limits_are_met_the_same_in_any_batches_and_in_bulk(data: st.DataObject) -> None:
    limits = data.draw(
        st.fixed_dictionaries(
            {
                "max_sessions": st.sampled_from([1, 2, 3, 100]),
                "max_events": st.sampled_from([1, 2, 4, 6, 8, 100]),
                "max_bytes": st.sampled_from([600, 1500, 3000, 1 << 20]),
            }
        )
    )
    spec = TimelineSpec.from_json(data.draw(specs()).to_json() | limits)
    lines = data.draw(logs())
    wanted, most = one_by_one(lines, spec)
    assert most <= spec.max_events
    cuts = data.draw(st.lists(st.integers(0, len(lines)), max_size=8))
    restarts = data.draw(st.sets(st.integers(0, 8)))
    for other in (streamed(lines, spec, cuts, restarts), build_steps(made(lines, spec), spec, ARCHIVE)):
        assert rows_of(other) == rows_of(wanted)
        assert Counter(other.refused) == Counter(wanted.refused)
        assert other.report == wanted.report


def test_the_session_that_was_silent_for_longest_makes_room() -> None:
    lines = [step("a", 0), step("b", 1), step("a", 2), step("c", 3), step("b", 4), step("a", 20)]
    found = build_steps(mapped(lines, ["order"]), spec_with(max_sessions=2, last_step="keep"), ARCHIVE)
    assert found.report.hurried == 3
    names = [name[0] for name in column(found, "episode_id")]
    assert Counter(names) == {"a": 3, "b": 2, "c": 1}
    assert len(set(column(found, "episode_id"))) == 5  # b made room for c, a for b, and c for a
    assert found.report.refused.total() == 0


def test_a_wait_for_rewards_is_cut_short() -> None:
    lines = [step("b", 0, impression="i"), *(step("b", at / 10) for at in range(1, 30)), click("i", 9)]
    found, most = one_by_one(lines, spec_with(max_events=8, lateness=0))
    assert most == 8
    assert found.report.hurried
    assert reasons(found) == ["reward_without_step"]


@pytest.mark.parametrize("limit", ["max_events", "max_bytes"])
def test_a_limit_on_what_is_out_of_order_makes_the_watermark_hurry(limit: str) -> None:
    lines = [step("a", 10 - at / 10) for at in range(40)]
    spec = TimelineSpec.from_json(BASE | {limit: 10 if limit == "max_events" else 3000})
    found, _ = one_by_one(lines, spec)
    assert set(reasons(found)) == {"late"}
    assert found.report.hurried
