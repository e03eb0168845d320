"""The gate: verdicts are a pure function of the row, and say all that was wrong, once."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.archive_spec import ArchiveSpec
from schemas.errors import StepsError
from schemas.protocols import Gate as GateSeam
from schemas.protocols import Verdict
from tests.validation.rows import CARTPOLE, PUZZLE, ROBOT, judge, row, rule, suite, table
from validation import Gate, Suite, builtin
from validation import gate as gate_module

NAN, INF = math.nan, math.inf
SUITE = suite(
    rule("be_between", column="reward", min_value=-1, max_value=5),
    rule("be_between", "warning", column="reward", max_value=2),
    rule("be_in_set", "warning", column="source", value_set=["test", "other"]),
    rule("not_be_null", column="policy_version", mostly=0.5),
    rule("be_finite", "info", column="reward"),
)
_CHANGES: dict[str, list[Any]] = {
    "observation": [
        None,
        [0.0],
        [9.0, 0.0, 0.0, 0.0],
        [NAN] * 4,
        [0.0, None, 0.0, 0.0],
        [INF, 0.0, 0.0, 0.0],
    ],
    "next_observation": [[0.0] * 4, [], [9.0, 0.0, 0.0, 0.0]],
    "action": [None, 0, 2, -1],
    "action_mask": [None, [True, False], [False, False], [True], [None, True]],
    "action_log_prob": [None, NAN, 1.0, -INF],
    "reward": [None, NAN, INF, 3.0, 9.0],
    "episode_id": [None],
    "event_id": ["x"],
    "step": [None, -1],
    "truncated": [True, None],
    "discount": [NAN, 2.0],
    "priority": [None, NAN, -1.0],
    "source": ["elsewhere", None],
    "policy_version": ["v1"],
    "torque": [[0.0, 2.0], [0.0]],
}
_ROWS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(held) for name, held in _CHANGES.items()}
).map(lambda changes: row(CARTPOLE, **changes))
GATE = Gate(CARTPOLE, SUITE)
_SEAM: GateSeam = GATE  # what the worker takes


def _flat(verdict: Verdict) -> list[tuple[bool, list[str], list[str], float]]:
    return list(
        zip(
            verdict.accepted.tolist(),
            verdict.reasons.to_pylist(),
            verdict.flags.to_pylist(),
            verdict.quality.tolist(),
            strict=True,
        )
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(_ROWS, min_size=1, max_size=6), st.data())
def test_a_verdict_depends_on_its_row_alone(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    whole = table(CARTPOLE, *rows)
    together = _flat(GATE.judge(whole))
    assert together == [held for one in rows for held in _flat(GATE.judge(table(CARTPOLE, one)))]
    order = data.draw(st.permutations(range(len(rows))))
    assert _flat(GATE.judge(whole.take(pa.array(order)))) == [together[index] for index in order]
    cut = data.draw(st.integers(0, len(rows)))
    parts = [whole.slice(0, cut), whole.slice(cut)]
    assert [held for part in parts for held in _flat(GATE.judge(part))] == together
    assert _flat(GATE.judge(pa.concat_tables(parts))) == together  # in chunks


@settings(max_examples=150, deadline=None)
@given(st.lists(_ROWS, max_size=6))
def test_verdicts_are_whole(rows: list[dict[str, Any]]) -> None:
    """Reasons are empty exactly where accepted, nothing is said twice, and each rejection has its line."""
    held = table(CARTPOLE, *rows)
    verdict = GATE.judge(held)
    for accepted, reasons, flags, quality in _flat(verdict):
        assert accepted == (not reasons)
        assert len(set(reasons)) == len(reasons) and len(set(flags)) == len(flags)
        assert 0.0 <= quality <= 1.0 and (accepted or quality == 0.0)
    lines = GATE.describe(held, verdict)
    assert lines.type == pa.string() and len(lines) == np.count_nonzero(~verdict.accepted)
    assert all(line and "\n" not in line for line in lines.to_pylist())


def test_an_empty_table_is_judged() -> None:
    verdict = GATE.judge(table(CARTPOLE))
    assert (len(verdict.accepted), len(verdict.reasons), len(verdict.flags), len(verdict.quality)) == (
        0,
        0,
        0,
        0,
    )
    assert verdict.reasons.type == pa.list_(pa.string())
    assert len(GATE.describe(table(CARTPOLE), verdict)) == 0


def test_severities_decide() -> None:
    rows = [
        row(CARTPOLE, policy_version="v1", **changes) for changes in ({}, {"reward": 3.0}, {"reward": 9.0})
    ]
    verdict = judge(CARTPOLE, SUITE, *rows)
    assert verdict.accepted.tolist() == [True, True, False]
    assert verdict.reasons.to_pylist() == [[], [], ["between(reward)"]]
    assert verdict.flags.to_pylist() == [[], ["between(reward)"], ["between(reward)"]]


def test_quality_is_the_share_of_warnings_that_held() -> None:
    rows = [
        row(CARTPOLE, policy_version="v1"),
        row(CARTPOLE, policy_version="v1", reward=3.0),
        row(CARTPOLE, policy_version="v1", reward=3.0, source="elsewhere"),
        row(CARTPOLE, reward=3.0, source="elsewhere"),
        row(CARTPOLE, policy_version="v1", step=-1),
    ]
    quality = judge(CARTPOLE, SUITE, *rows).quality
    assert quality.dtype == np.float32
    assert quality.tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0, 0])


def test_mostly_below_one_never_rejects() -> None:
    verdict = judge(CARTPOLE, SUITE, row(CARTPOLE))
    assert verdict.accepted.tolist() == [True]
    assert verdict.flags.to_pylist() == [["not_null(policy_version)"]]


def test_info_is_not_looked_at() -> None:
    info = suite(rule("be_between", "info", column="reward", max_value=0))
    assert _flat(judge(CARTPOLE, info, row(CARTPOLE))) == [(True, [], [], 1.0)]


def test_a_suites_rule_says_nothing_more_about_a_number_that_is_none() -> None:
    strict = suite(rule("be_between", column="reward", max_value=5), rule("not_be_null", column="reward"))
    verdict = judge(CARTPOLE, strict, row(CARTPOLE, reward=INF), row(CARTPOLE, reward=NAN))
    assert verdict.reasons.to_pylist() == [["finite(reward)"], ["finite(reward)"]]


def test_a_warning_never_silences_a_critical_rule() -> None:
    """The torque may be infinite for a warning; its bounds, which are critical, still reject it."""
    warned = suite(rule("be_finite", "warning", column="torque"))
    verdict = judge(CARTPOLE, warned, row(CARTPOLE, torque=[INF, 0.0]))
    assert verdict.reasons.to_pylist() == [["in_space(torque)"]]
    assert verdict.flags.to_pylist() == [["finite(torque)"]]


def test_many_rows_that_fail_are_listed_right() -> None:
    steps = [-1 if index % 3 == 0 else index for index in range(5000)]
    rows = table(CARTPOLE, row(CARTPOLE)).take(pa.array(np.zeros(5000, np.int64)))
    rows = rows.set_column(rows.schema.get_field_index("step"), "step", pa.array(steps))
    verdict = Gate(CARTPOLE).judge(rows)
    assert verdict.reasons.to_pylist() == [["between(step)"] if step < 0 else [] for step in steps]


def test_long_values_are_cut() -> None:
    named = suite(rule("be_in_set", column="source", value_set=["test"]))
    rows = table(CARTPOLE, row(CARTPOLE, source="x" * 100_000))
    gate = Gate(CARTPOLE, named)
    (line,) = gate.describe(rows, gate.judge(rows)).to_pylist()
    assert line.startswith("source is 'xxx") and len(line) < 200


def test_a_missing_column_is_named() -> None:
    with pytest.raises(StepsError, match="no column 'reward'"):
        Gate(CARTPOLE).judge(table(CARTPOLE, row(CARTPOLE)).drop_columns(["reward"]))


def test_a_column_of_another_type_is_named() -> None:
    rows = table(CARTPOLE, row(CARTPOLE))
    index = rows.schema.get_field_index("reward")
    with pytest.raises(StepsError, match="'reward' is float, not double") as caught:
        Gate(CARTPOLE).judge(rows.set_column(index, "reward", rows["reward"].cast(pa.float32())))
    assert caught.value.column == "reward"


def test_further_columns_are_left_alone() -> None:
    rows = table(CARTPOLE, row(CARTPOLE)).append_column("stream_offset", pa.array([7]))
    assert Gate(CARTPOLE).judge(rows).accepted.tolist() == [True]


@pytest.mark.parametrize("spec", [CARTPOLE, PUZZLE, ROBOT])
def test_slices_and_chunks_of_every_space_are_judged_alike(spec: ArchiveSpec) -> None:
    rows = table(spec, row(spec), row(spec, step=-1), row(spec, observation=None), row(spec))
    expected = [[], ["between(step)"], ["not_null(observation)"], []]
    chunked = pa.concat_tables([rows.slice(0, 1), rows.slice(1, 0), rows.slice(1)])
    assert Gate(spec).judge(chunked).reasons.to_pylist() == expected
    assert Gate(spec).judge(rows.slice(1, 2)).reasons.to_pylist() == expected[1:3]


def test_the_hash_follows_what_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    none = Gate(CARTPOLE).suite_hash
    assert Gate(CARTPOLE, Suite("another name")).suite_hash == none != GATE.suite_hash
    assert (
        Gate(CARTPOLE, Suite.from_dict(json.loads(json.dumps(SUITE.to_dict())))).suite_hash == GATE.suite_hash
    )
    monkeypatch.setattr(gate_module, "BUILTIN_VERSION", builtin.BUILTIN_VERSION + 1)
    assert Gate(CARTPOLE).suite_hash != none
