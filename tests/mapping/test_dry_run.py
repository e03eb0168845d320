"""The dry run: rows as they would land, what the gate says, and nothing sent."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from ingest.mapping import RecordMapping
from replaylake.cli.dry_run_table import dry_run_shown
from replaylake.cli.json_text import json_text
from replaylake.flows.dry_run import DryRun, dry_run_by
from schemas.archive_spec import ArchiveSpec
from tests.mapping.samples import records
from validation import Gate, Suite

SPEC = ArchiveSpec.from_json(
    {"name": "web", "observation": {"type": "box", "shape": [2]}, "action": {"type": "discrete", "n": 2}}
)
SUITE = Suite.from_dict(
    {
        "name": "s",
        "expectations": [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {"column": "reward", "max_value": 1},
                "severity": "warning",
            }
        ],
    }
)
COLUMNS: dict[str, Any] = {
    "episode_id": "e",
    "step": "t",
    "observation": ["x", "y"],
    "action": "a",
    "reward": "r",
    "terminated": {"const": False},
    "truncated": {"const": False},
    "event_time": {"field": "at", "time": "epoch_s"},
}
ROW = {"e": "e", "t": 0, "x": 1, "y": 2, "a": 0, "r": 0, "at": 1_700_000_000, "kind": "go"}
ROWS = [
    ROW,
    ROW | {"t": 1, "r": 5},
    ROW | {"t": 2, "a": 7},
    ROW | {"t": 3, "x": "?"},
    ROW | {"t": 4, "at": 10**10},
    ROW | {"t": 1, "r": 5},
    ROW | {"kind": "beat"},
]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(rows: list[dict[str, Any]], **options: Any) -> DryRun:
    mapping = RecordMapping.from_dict({"columns": COLUMNS, "where": 'col("kind") == "go"'})
    batches = [records(rows[place : place + 3]) for place in range(0, len(rows), 3)]
    return dry_run_by(SPEC, Gate(SPEC, SUITE), mapping, batches, now=NOW, **options)


def test_rows_verdicts_refusals_and_totals() -> None:
    found = run(ROWS)
    assert (found.records, found.left_out, found.mapped, found.unmapped) == (7, 1, 5, 1)
    assert (found.accepted, found.flagged, found.rejected, found.repeated) == (3, 2, 2, 1)
    assert found.reasons == {"in_space(action)": 1, "clock_skew": 1, "mapping(observation)": 1}
    first, second, third, fourth, _ = found.rows
    assert first.values["observation"] == [1.0, 2.0]
    assert first.values["source"] == "default"
    assert first.accepted and not first.flags
    assert second.flags == ("between(reward)",)
    assert third.reasons == ("in_space(action)",)
    assert "action is 7" in third.detail
    assert fourth.reasons == ("clock_skew",)
    assert found.refused[0].reason == "mapping(observation)"
    assert json.loads(json_text(found.to_dict()))["rows"][0]["row"]["action"] == 0


def test_only_the_first_records_are_looked_at() -> None:
    found = run([ROW | {"t": step} for step in range(9)], limit=2, most=4)
    assert found.records == 6
    assert not found.complete
    assert len(found.rows) == 2


def test_it_is_shown_to_people() -> None:
    screen = io.StringIO()
    for part in dry_run_shown(run(ROWS), 400):
        Console(file=screen, width=400).print(part)
    shown = screen.getvalue()
    assert "refused: action is 7, outside 0 to 1" in shown
    assert "the field 'x' is '?', and a number is expected" in shown
    assert (
        "Of 7 records, 3 land (2 of them flagged), 2 the gate refuses, 1 make no row, 1 are left out" in shown
    )


def test_no_records_make_an_empty_run() -> None:
    found = run([])
    assert (found.records, found.rows, found.accepted) == (0, (), 0)
    assert dry_run_shown(found, 80)


def test_events_become_steps_before_they_are_judged() -> None:
    mapping = RecordMapping.from_dict(
        {
            "columns": {
                "user": {"field": "u", "type": "string"},
                "event_time": {"field": "at", "time": "epoch_s"},
                "observation": ["x", "y"],
                "action": "a",
            },
            "timeline": {"session": "user"},
        }
    )
    rows = [{"u": "u", "at": 1_700_000_000 + n, "x": n, "y": 0, "a": 0} for n in range(3)]
    found = dry_run_by(SPEC, Gate(SPEC), mapping, [records([*rows, {"u": "u", "at": "?"}])], now=NOW)
    assert found.unmapped == 1
    assert found.accepted == found.mapped == 2
    assert [row.values["step"] for row in found.rows] == [0, 1]
    assert found.rows[1].values["next_observation"] == [2.0, 0.0]
