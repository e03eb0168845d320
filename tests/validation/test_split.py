"""The split: what a gate may judge row by row, and what only an audit over many rows can say.

A new kind of expectation needs an example here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.protocols import Verdict
from tests.validation.rows import CARTPOLE, row, suite, table
from validation import Gate, compile_suite
from validation.rules.known import kinds

_TIME = "2026-01-01T00:00:00Z"
PER_ROW: dict[str, dict[str, Any]] = {
    "expect_action_to_be_in_mask": {},
    "expect_action_to_be_in_space": {},
    "expect_column_elements_to_be_between": {"column": "observation", "min_value": -1, "max_value": 1},
    "expect_column_pair_values_a_to_be_greater_than_b": {"column_A": "lives", "column_B": "step"},
    "expect_column_pair_values_to_be_equal": {"column_A": "lives", "column_B": "step"},
    "expect_column_pair_values_to_be_in_set": {
        "column_A": "lives",
        "column_B": "word",
        "value_pairs_set": [[1, "a"], [2, None]],
    },
    "expect_column_value_lengths_to_be_between": {"column": "word", "max_value": 1},
    "expect_column_value_lengths_to_equal": {"column": "word", "value": 1},
    "expect_column_values_to_be_between": {"column": "speed", "min_value": 0, "max_value": 2},
    "expect_column_values_to_be_finite": {"column": "speed"},
    "expect_column_values_to_be_in_set": {"column": "word", "value_set": ["a", "b"]},
    "expect_column_values_to_be_in_space": {"column": "observation"},
    "expect_column_values_to_be_json_parseable": {"column": "word"},
    "expect_column_values_to_be_null": {"column": "torque"},
    "expect_column_values_to_have_shape": {"column": "observation"},
    "expect_column_values_to_match_regex": {"column": "word", "regex": "^[ab]"},
    "expect_column_values_to_match_regex_list": {"column": "word", "regex_list": ["a", "b"]},
    "expect_column_values_to_match_strftime_format": {"column": "word", "strftime_format": "%Y"},
    "expect_column_values_to_name_a_folder": {"column": "word"},
    "expect_column_values_to_not_be_in_set": {"column": "lives", "value_set": [3]},
    "expect_column_values_to_not_be_null": {"column": "lives"},
    "expect_column_values_to_not_match_regex": {"column": "word", "regex": "b"},
    "expect_column_values_to_not_match_regex_list": {"column": "word", "regex_list": ["b"]},
    "expect_ends_to_be_exclusive": {},
    "expect_ends_to_have_reward": {},
    "expect_expression_to_be_true": {"expression": "col('lives') > 1"},
    "expect_multicolumn_sum_to_equal": {"column_list": ["lives", "step"], "sum_total": 4},
    "expect_multicolumn_values_to_be_equal": {"column_list": ["lives", "step"]},
    "expect_observation_jump_to_be_between": {"max_value": 1},
    "expect_observation_to_change": {},
    "expect_propensity_to_be_between": {"min_probability": 0.1},
    "expect_propensity_to_be_known": {},
    "expect_propensity_to_be_possible": {},
    "expect_reward_to_be_between": {"min_value": 0},
    "expect_select_column_values_to_be_unique_within_record": {"column_list": ["lives", "step"]},
    "expect_step_to_have_key": {},
    "expect_truncated_to_have_next_observation": {},
}
WIDE: dict[str, dict[str, Any]] = {
    "expect_column_distinct_values_to_be_in_set": {"column": "word", "value_set": ["a"]},
    "expect_column_distinct_values_to_contain_set": {"column": "word", "value_set": ["a"]},
    "expect_column_distinct_values_to_equal_set": {"column": "word", "value_set": ["a"]},
    "expect_column_kl_divergence_to_be_less_than": {
        "column": "speed",
        "partition_object": {"bins": [0, 1], "weights": [1]},
        "threshold": 0.1,
    },
    "expect_column_max_to_be_between": {"column": "seen", "max_value": _TIME},
    "expect_column_mean_to_be_between": {"column": "speed", "max_value": 2},
    "expect_column_median_to_be_between": {"column": "speed", "max_value": 2},
    "expect_column_min_to_be_between": {"column": "speed", "min_value": 0},
    "expect_column_most_common_value_to_be_in_set": {"column": "word", "value_set": ["a"]},
    "expect_column_proportion_of_non_null_values_to_be_between": {"column": "torque", "min_value": 0.5},
    "expect_column_proportion_of_unique_values_to_be_between": {"column": "word", "max_value": 0.5},
    "expect_column_quantile_values_to_be_between": {
        "column": "speed",
        "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0, 1]]},
    },
    "expect_column_stdev_to_be_between": {"column": "speed", "max_value": 2},
    "expect_column_sum_to_be_between": {"column": "speed", "max_value": 2},
    "expect_column_to_exist": {"column": "speed"},
    "expect_column_unique_value_count_to_be_between": {"column": "word", "max_value": 2},
    "expect_column_value_z_scores_to_be_less_than": {"column": "speed", "threshold": 3, "double_sided": True},
    "expect_column_values_to_be_decreasing": {"column": "speed"},
    "expect_column_values_to_be_increasing": {"column": "speed"},
    "expect_column_values_to_be_in_type_list": {"column": "lives", "type_list": ["int64"]},
    "expect_column_values_to_be_of_type": {"column": "lives", "type_": "int64"},
    "expect_column_values_to_be_unique": {"column": "speed"},
    "expect_column_values_to_not_be_outliers": {"column": "speed"},
    "expect_compound_columns_to_be_unique": {"column_list": ["episode_id", "step"]},
    "expect_ends_to_be_last": {},
    "expect_event_time_to_increase_within_episode": {},
    "expect_next_observation_to_match": {},
    "expect_sequence_jump_to_be_between": {"max_value": 1},
    "expect_sequence_to_satisfy": {"expression": "col('step') >= 0"},
    "expect_steps_to_be_consecutive": {},
    "expect_table_column_count_to_be_between": {"min_value": 1},
    "expect_table_column_count_to_equal": {"value": 3},
    "expect_table_columns_to_match_ordered_list": {"column_list": ["speed"]},
    "expect_table_columns_to_match_set": {"column_set": ["speed"]},
    "expect_table_row_count_to_be_between": {"min_value": 1},
    "expect_table_row_count_to_equal": {"value": 3},
}


def _rule(name: str, number: int = 0, **more: Any) -> dict[str, Any]:
    severity = ("critical", "warning")[number % 2]
    return {"type": name, "kwargs": {**{**PER_ROW, **WIDE}[name], **more}, "severity": severity}


def test_every_kind_has_its_example() -> None:
    assert sorted(kinds()) == sorted([*PER_ROW, *WIDE])


@pytest.mark.parametrize("name", sorted(kinds()))
def test_each_kind_is_on_its_side(name: str) -> None:
    compiled = compile_suite(suite(_rule(name)), CARTPOLE)
    assert [len(compiled.rules), len(compiled.audits)] == ([1, 0] if name in PER_ROW else [0, 1])


def test_an_audit_decides_nothing_at_a_gate() -> None:
    gate = Gate(CARTPOLE, suite(*(_rule(name, severity) for severity, name in enumerate(WIDE))))
    rows = table(CARTPOLE, *[row(CARTPOLE, speed=9.0, word="zz", lives=-5)] * 3)
    assert len(gate.audits) == len(WIDE)
    assert gate.judge(rows).accepted.all() and not any(gate.judge(rows).flags.to_pylist())


_GATE = Gate(
    CARTPOLE,
    suite(
        *(_rule(name, number) for number, name in enumerate(PER_ROW)),
        *(_rule(name, 1, mostly=0.5) for name in PER_ROW),
        _rule("expect_column_values_to_be_between", 1, row_condition="lives > 1", condition_parser="pandas"),
    ),
)
_VALUES: dict[str, Sequence[Any]] = {
    "observation": [[0.0, 0.1, 0.0, -0.1], [0.0, 0.1, 0.0], [9.0, 0.0, 0.0, 0.0], [float("nan")] * 4],
    "next_observation": [None, [0.0, 0.1, 0.0, -0.1], [0.5, 0.1, 0.0, -0.1], [3.0, 3.0]],
    "action": [0, 1, 5],
    "action_mask": [None, [True, False], [True]],
    "action_log_prob": [-0.7, 0.5, None, float("-inf")],
    "reward": [1.0, -1.0, float("nan")],
    "terminated": [False, True],
    "truncated": [False, True],
    "step": [0, 1, 3, None],
    "speed": [0.0, 1.5, 9.0, float("nan"), float("inf"), None],
    "lives": [1, 2, 3, None],
    "word": ["a", "b", "zz", "1", "", None],
    "torque": [None, [0.0, 0.5]],
    "seen": [None, datetime(2026, 1, 1, tzinfo=UTC)],
}
_ROWS = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in _VALUES.items()})


@settings(max_examples=60, deadline=None)
@given(st.lists(_ROWS, min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_a_verdict_depends_on_no_other_row(drawn: list[dict[str, Any]], random: Any) -> None:
    rows = table(CARTPOLE, *(row(CARTPOLE, **changes) for changes in drawn))
    whole = _verdicts(_GATE.judge(rows))
    order = list(range(len(drawn)))
    random.shuffle(order)
    cut = random.randrange(len(order) + 1)
    parts = [_GATE.judge(rows.take(pa.array(part, pa.int64()))) for part in (order[:cut], order[cut:])]
    found = [verdict for part in parts for verdict in _verdicts(part)]
    assert found == [whole[index] for index in order]


def _verdicts(verdict: Verdict) -> list[tuple[Any, ...]]:
    lists = (verdict.accepted.tolist(), verdict.reasons.to_pylist(), verdict.flags.to_pylist())
    return list(zip(*lists, verdict.quality.tolist(), strict=True))
