"""The timeline over a stream, in any batches and through any restarts, and in bulk: all as the reference."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.timeline import Released, Timeline, TimelineReport, TimelineSpec, build_steps
from tests.timeline.events import ARCHIVE, Line, mapped
from tests.timeline.reference import Outcome, reference
from tests.timeline.strategies import logs, specs

EXAMPLES = int(os.environ.get("TIMELINE_EXAMPLES", "120"))


def made(lines: Sequence[Line], spec: TimelineSpec) -> Any:
    """Map lines to the columns that the spec knows."""
    spare = [name for name in ("kind", "user", "impression", "order") if name not in spec.columns]
    return mapped(lines, spare)


def streamed(lines: Sequence[Line], spec: TimelineSpec, cuts: Sequence[int], restarts: set[int]) -> Released:
    """Feed lines in batches, restored from its state after some, and close."""
    timeline = Timeline(spec, ARCHIVE)
    parts = []
    bounds = [0, *sorted(cuts), len(lines)]
    for number, (start, stop) in enumerate(pairwise(bounds)):
        parts.append(timeline.feed(made(lines[start:stop], spec)))
        if number in restarts:
            timeline = Timeline.restore(timeline.state(), spec, ARCHIVE)
    parts.append(timeline.close())
    assert timeline.held == 0
    return together(parts)


def together(parts: Sequence[Released]) -> Released:
    """Put what was released bit by bit together."""
    report = TimelineReport()
    for part in parts:
        report.add(part.report)
    return Released(
        pa.concat_tables([part.steps for part in parts]),
        tuple(refused for part in parts for refused in part.refused),
        report,
    )


def rows_of(released: Released) -> list[dict[str, Any]]:
    """Return the steps by their key, without the columns that nothing filled."""
    rows = []
    for row in released.steps.to_pylist():
        row["info"] = None if row["info"] is None else json.loads(row["info"])
        rows.append({name: row[name] for name in row if name not in _NOT_MADE})
    return sorted(rows, key=_place)


_NOT_MADE = ("action_mask", "discount", "policy_version")


def _place(row: dict[str, Any]) -> Any:
    return row["source"], row["episode_id"], row["step"]


def check(released: Released, wanted: Outcome, lines: Sequence[Line]) -> None:
    """Compare rows, what was refused, and the counts."""
    assert rows_of(released) == sorted(wanted.rows, key=_place)
    assert Counter((one.raw, one.reason) for one in released.refused) == Counter(wanted.refused)
    report = released.report
    assert report.events == len(lines)
    assert report.steps == len(wanted.rows)
    counts = report.duplicates, report.ignored, report.folded
    assert counts == (wanted.duplicates, wanted.ignored, wanted.folded)
    assert report.hurried == 0
    assert report.refused == Counter(reason for _, reason in wanted.refused)
    told = report.steps + report.rewards + report.ends + report.ignored + report.duplicates + report.folded
    assert told + report.refused.total() == report.events
    assert len({_place(row) for row in wanted.rows}) == len(wanted.rows)  # no key is used twice


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_stream_and_bulk_equal_the_reference(data: st.DataObject) -> None:
    spec, lines = data.draw(specs()), data.draw(logs())
    wanted = reference(lines, spec)
    cuts = data.draw(st.lists(st.integers(0, len(lines)), max_size=8))
    restarts = data.draw(st.sets(st.integers(0, 8)))
    stream = streamed(lines, spec, cuts, restarts)
    check(stream, wanted, lines)
    bulk = build_steps(made(lines, spec), spec, ARCHIVE)
    check(bulk, wanted, lines)
    halves = [made(lines[: len(lines) // 3], spec), made(lines[len(lines) // 3 :], spec)]
    check(build_steps(halves, spec, ARCHIVE), wanted, lines)
    assert Counter(stream.refused) == Counter(bulk.refused)  # with their details
    assert stream.report == bulk.report
