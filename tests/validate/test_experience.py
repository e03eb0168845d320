"""`validate_experience`: the gate's verdicts and all audits of what lies in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from lake import read_steps
from replaylake import Suite, validate_experience
from schemas.errors import StepsError, SuiteError
from schemas.steps import Steps
from tests.validate.samples import BELOW_TWO, SPEC, append, change, make, played
from validation.audits.distributions import distributions
from validation.audits.worst import worst_episodes

FLAG = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "reward", "max_value": 2}}


def named(report: Any) -> set[tuple[str, str | None]]:
    return {(finding.check, finding.column) for finding in report.findings}


def test_good_steps_have_nothing_wrong() -> None:
    report = validate_experience(Steps(played(1), SPEC), SPEC)
    assert report.success
    assert (report.rows, report.accepted, report.rejected, report.flagged) == (400, 400, 0, 0)
    assert report.quality == 1.0
    assert all(finding.severity == "info" for finding in report.findings)


def test_the_gate_and_the_audits_say_what_is_wrong() -> None:
    steps = change(change(played(1), 3, reward=5.0), 7, next_observation=[0.1, 0.2, 0.3, 0.4])
    report = validate_experience(steps, SPEC, Suite.from_dict(BELOW_TWO))
    assert not report.success
    assert (report.rejected, report.reasons) == (1, {"between(reward)": 1})
    assert ("wrong_next_observation", "next_observation") in named(report)
    assert report.findings[0].severity == "critical"
    flagging = Suite.from_dict({"name": "flags", "expectations": [{**FLAG, "severity": "warning"}]})
    report = validate_experience(steps, SPEC, flagging)
    assert (report.rejected, report.flagged, report.flags) == (0, 1, {"between(reward)": 1})
    assert report.quality == pytest.approx(1 - 1 / 400)


def test_a_reference_a_policy_and_constraints_are_used() -> None:
    changed = [
        {**row, "action_log_prob": -0.1, "observation": [9.0, *row["observation"][1:]]}
        for row in played(1).to_pylist()
    ]
    steps = pa.Table.from_pylist(changed, schema=played(1).schema)
    report = validate_experience(
        steps,
        SPEC,
        reference=played(2, 2000),
        policy=lambda observations: np.full((len(observations), 2), 0.5),
        constraints={"near": "abs(x) < 5"},
        names={"x": "observation[0]"},
    )
    checks = {finding.check for finding in report.findings}
    assert {"near", "policy", "range"} <= checks


@pytest.mark.parametrize("kind", ["arrow", "polars", "pandas"])
def test_tables_of_each_kind(kind: str) -> None:
    table = played(1).select(["source", "agent_id", "episode_id", "step", "observation", "action", "reward",
                              "next_observation", "terminated", "truncated"])  # fmt: skip
    given = {"arrow": table, "polars": pl.DataFrame(table), "pandas": table.to_pandas()}[kind]
    assert validate_experience(given, SPEC).accepted == 400


def test_steps_that_have_landed(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, played(1))
    for given in (read_steps(archive), lake.sql("select * from pole.steps").pl()):
        assert validate_experience(given, SPEC).success


def test_no_rows_and_what_is_no_experience() -> None:
    report = validate_experience(played(1).slice(0, 0), SPEC, reference=played(1).slice(0, 0))
    assert (report.rows, report.quality, report.success) == (0, None, True)
    with pytest.raises(StepsError, match="column 'a'"):
        validate_experience(pa.table({"a": [1]}), SPEC)
    odd = Suite.from_dict({"name": "odd", "expectations": [{"type": "expect_nothing", "kwargs": {}}]})
    with pytest.raises(SuiteError, match="no such expectation"):
        validate_experience(played(1), SPEC, odd)


def test_the_report_is_json() -> None:
    document = validate_experience(
        change(played(1), 7, reward=5.0), SPEC, Suite.from_dict(BELOW_TWO)
    ).to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["rejected"] == 1


def test_the_worst_episodes_come_with_their_steps_in_short_form() -> None:
    wide = [[index / 3 for index in range(20)], {"a": b"12345", "b": "x" * 100}]
    steps = pa.table(
        {
            "source": ["s"] * 2,
            "agent_id": ["a"] * 2,
            "episode_id": ["e", "f"],
            "step": [0, 0],
            "observation": [wide[0]] * 2,
            "action": [wide[1]] * 2,
            **{
                name: [None] * 2
                for name in ("reward", "next_observation", "terminated", "truncated", "flags")
            },
        }
    )
    held = {"source": "s", "agent_id": "a", "episode_return": 2.0, "length": 1}
    episodes = pl.DataFrame(
        [
            {**held, "episode_id": "open", "flags": ["incomplete"], "episode_return": 1.0},
            {**held, "episode_id": "e", "flags": ["gap", "incomplete"]},
            {**held, "episode_id": "f", "flags": ["gap", "bad_end"]},
            {**held, "episode_id": "good", "flags": [], "episode_return": 5.0},
        ]
    )
    found = worst_episodes(episodes, lambda keys: steps)
    assert [one["episode_id"] for one in found] == ["f", "e", "open", "good"]
    assert (found[0]["return"], found[0]["length"], found[2]["rows"]) == (2.0, 1, [])
    row = found[0]["rows"][0]
    assert row["observation"][:2] + row["observation"][-1:] == [0.0, 0.333333, "… 20 in all"]
    assert row["action"] == {"a": "5 bytes", "b": "x" * 80 + "…"}
    assert worst_episodes(episodes.clear(), lambda keys: steps) == ()


def test_distributions_count_every_number_once() -> None:
    steps = change(change(played(1), 0, reward=float("nan")), 1, reward=1e300)
    made = distributions(steps, SPEC, played(2))
    assert list(made) == [*(f"observation[{index}]" for index in range(4)), "action", "reward"]
    for held in made.values():
        assert len(held["edges"]) == len(held["current"]) + 1 == len(held["reference"]) + 1
        assert sum(held["reference"]) == played(2).num_rows
    assert sum(made["reward"]["current"]) == 398
    assert made["reward"]["edges"] == [0.5, 1.5]
    assert made["action"]["current"] == np.bincount(steps["action"].to_pylist()).tolist()
    assert all(held["reference"] is None for held in distributions(steps, SPEC, None).values())
    assert distributions(steps.slice(0, 0), SPEC, played(2)) == {}
