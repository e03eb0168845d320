"""The compiler: rules of a suite on plain columns, and what it refuses before a row is judged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.errors import SuiteError
from tests.validation.rows import CARTPOLE, ROBOT, judge, row, rule, suite
from validation import Gate, compile_suite

NAN = float("nan")


@pytest.mark.parametrize(
    ("given", "column", "good", "bad"),
    [
        (rule("not_be_null", column="speed"), "speed", [0.0], [None, NAN]),
        (rule("not_be_null", column="torque"), "torque", [[0.0, 0.0]], [None]),
        (rule("be_null", column="word"), "word", [None], ["a"]),
        (rule("be_null", column="speed"), "speed", [None, NAN], [0.0]),
        (
            rule("be_between", column="speed", min_value=0, max_value=2),
            "speed",
            [0, 2, None, NAN],
            [-0.1, 2.1],
        ),
        (rule("be_between", column="speed", min_value=0, strict_min=True), "speed", [0.1], [0.0, -1.0]),
        (rule("be_between", column="speed", max_value=2, strict_max=True), "speed", [1.9], [2.0, 3.0]),
        (rule("be_between", column="lives", min_value=0.5, max_value=2.5), "lives", [1, 2, None], [0, 3]),
        (rule("be_between", column="discount", min_value=0.1, max_value=0.9), "discount", [0.1, 0.9], [0.05]),
        (rule("be_between", column="lives", max_value=1e30), "lives", [2**63 - 1], []),
        (rule("be_between", column="lives", max_value=2**53), "lives", [2**53], [2**53 + 1]),
        (
            rule("be_between", column="seen", min_value="2026-01-01", max_value="2026-01-02T00:00:00+01:00"),
            "seen",
            [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 23, tzinfo=UTC), None],
            [datetime(2025, 12, 31, tzinfo=UTC), datetime(2026, 1, 1, 23, 30, tzinfo=UTC)],
        ),
        (rule("be_in_set", column="word", value_set=["a", "b"]), "word", ["a", None], ["c", ""]),
        (rule("be_in_set", column="word", value_set=[]), "word", [None], ["a"]),
        (rule("be_in_set", column="lives", value_set=[1.0, 2, 2.5, 1e30, None]), "lives", [1, 2, None], [3]),
        (rule("be_in_set", column="speed", value_set=[1, 2.5]), "speed", [1.0, 2.5, NAN, None], [1.5]),
        (rule("be_in_set", column="won", value_set=[1]), "won", [True, None], [False]),
        (
            rule("be_in_set", column="seen", value_set=["2026-01-01"]),
            "seen",
            [None],
            [datetime(2026, 1, 2, tzinfo=UTC)],
        ),
        (rule("be_in_set", column="discount", value_set=[0.1, 0.9]), "discount", [0.1, 0.9], [0.5]),
        (rule("not_be_in_set", column="word", value_set=["a"]), "word", ["b", None], ["a"]),
        (rule("not_be_in_set", column="lives", value_set=[]), "lives", [0, None], []),
        (rule("be_finite", column="speed"), "speed", [0.0, None], [NAN, float("inf")]),
        (rule("be_finite", column="torque"), "torque", [[0.0, 1.0], None], []),
    ],
)
def test_a_rule_on_a_column(given: dict[str, Any], column: str, good: list[Any], bad: list[Any]) -> None:
    rows = [row(CARTPOLE, **{column: value}) for value in [*good, *bad]]
    gate = Gate(CARTPOLE, suite(given))
    verdict = judge(CARTPOLE, suite(given), *rows)
    code = gate.rules[-1].code if column != "speed" or "finite" not in given["type"] else "finite(speed)"
    assert [code in reasons for reasons in verdict.reasons.to_pylist()] == [False] * len(good) + [True] * len(
        bad
    )


def test_rules_keep_their_order_severity_and_mostly() -> None:
    rules = compile_suite(
        suite(
            rule("be_between", "warning", column="reward", min_value=0, mostly=0.9),
            rule("be_finite", "info", column="reward"),
            rule("not_be_null", column="reward", mostly=0.9),
        ),
        CARTPOLE,
    )
    assert [(held.code, held.severity, held.mostly, held.gate_severity) for held in rules.rules] == [
        ("between(reward)", "warning", 0.9, "warning"),
        ("finite(reward)", "info", 1.0, "info"),
        ("not_null(reward)", "critical", 0.9, "warning"),
    ]


def test_kwargs_that_say_how_to_report_are_left_alone() -> None:
    reporting: dict[str, Any] = {"result_format": "COMPLETE", "catch_exceptions": False, "batch_id": None}
    assert len(compile_suite(suite(rule("not_be_null", column="step", **reporting)), CARTPOLE).rules) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"type": "expect_column_values_to_be_betwen"}, "Did you mean 'expect_column_values_to_be_between'?"),
        (rule("be_between", column="rewrd", min_value=0), "no column 'rewrd'. Did you mean 'reward'?"),
        (rule("be_between", column="ingested_at", min_value=0), "no column 'ingested_at'. There are:"),
        (rule("not_be_null", column="observation.x"), "'observation.x' is a field inside 'observation'"),
        (rule("be_between", column="reward", min=0), "no kwarg 'min'"),
        (rule("be_between", column="reward", min_valu=0), "no kwarg 'min_valu'. Did you mean 'min_value'?"),
        (rule("not_be_null", column="reward", row_conditon="x"), "no kwarg 'row_conditon'"),
        (rule("not_be_null"), "column is missing. Its kwargs are: column, mostly"),
        (rule("not_be_null", column=7), "column: Input should be a valid string"),
        (rule("not_be_null", column="reward", mostly=1.5), "mostly: Input should be less than or equal to 1"),
        (rule("be_between", column="reward", min_value=0, strict_min="yes"), "strict_min: Input should"),
        (rule("be_between", column="reward"), "min_value and max_value are both missing"),
        (rule("be_between", column="lives", min_value=2, max_value=1), "min_value 2 is above max_value 1"),
        (rule("be_between", column="reward", min_value="0"), "min_value '0' is not a number"),
        (rule("be_between", column="reward", min_value=True), "min_value True is not a number"),
        (rule("be_between", column="reward", min_value={"$PARAMETER": "x"}), "is not a number"),
        (rule("be_between", column="reward", max_value=NAN), "max_value nan is not a number"),
        (rule("be_between", column="event_time", min_value="soon"), "min_value 'soon' is not a time"),
        (rule("be_between", column="event_time", min_value=3), "min_value 3 is not a time"),
        (rule("be_between", column="source", min_value="a"), "source is text; only numbers and times"),
        (rule("be_between", column="won", min_value=0), "won is true or false; only numbers"),
        (rule("be_between", column="observation", min_value=0), "is expect_column_values_to_be_in_space"),
        (rule("be_in_set", column="source"), "value_set is missing"),
        (rule("be_in_set", column="source", value_set="abc"), "value_set: Input should be a valid list"),
        (rule("be_in_set", column="source", value_set=["a", 1]), "1 in value_set can never be in source"),
        (rule("be_in_set", column="lives", value_set=["1"]), "'1' in value_set can never be in lives"),
        (rule("be_in_set", column="lives", value_set=[True]), "True in value_set can never be in lives"),
        (rule("be_in_set", column="won", value_set=[2]), "2 in value_set can never be in won"),
        (rule("be_in_set", column="torque", value_set=[2]), "list<item: float>, which has no set"),
        (rule("be_finite", column="step"), "step is a column of int64, which is always finite"),
        (rule("have_shape", column="reward"), "reward is a plain column without a space"),
        (rule("be_in_space", column="source"), "Those with one are: observation, action"),
        ({"type": "expect_action_to_be_in_mask", "kwargs": {"column": "action"}}, "it has no kwarg 'column'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_an_error_before_any_row(given: dict[str, Any], said: str) -> None:
    first = rule("not_be_null", column="step")
    with pytest.raises(SuiteError) as caught:
        Gate(CARTPOLE, suite(first, given))
    assert str(caught.value).startswith(f"Suite 'mine', rule 2 ({given['type']}): ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value) and caught.value.hint


def test_a_space_without_masks_has_no_mask_to_judge() -> None:
    for given in ({"type": "expect_action_to_be_in_mask"}, rule("have_shape", column="action_mask")):
        with pytest.raises(SuiteError, match="The action space box has no mask"):
            Gate(ROBOT, suite(given))
