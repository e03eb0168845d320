"""Row conditions: what they choose, also at the gate, and what is refused. Agreement is tested elsewhere."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from schemas.errors import SuiteError
from tests.validation.rows import CARTPOLE, judge, row, rule, suite
from validation import Gate

TABLE = pl.DataFrame(
    {
        "a": [1, 2, 3, None],
        "x y": [0.5, None, float("nan"), 2.0],
        "t": ["p", "q", None, "a`b & c"],
        "won": [True, False, None, True],
        "v": [[1], [2], [3], [4]],
    }
)


def _chosen(condition: Any, parser: str | None = None) -> list[int]:
    """Find the rows that a condition chooses: those where a rule that nothing follows fails."""
    kwargs = {"column": "v", "row_condition": condition, "condition_parser": parser}
    given = suite(rule("be_null", **{key: value for key, value in kwargs.items() if value is not None}))
    (result,) = given.validate(TABLE).to_dict()["results"]
    assert not result["exception_info"]["raised_exception"], result["exception_info"]
    found: list[int] = result["result"]["unexpected_index_list"]
    assert result["result"]["element_count"] == len(found)
    return found


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("a > 1", [1, 2]),
        ("a != 1", [1, 2, 3]),
        ("not a > 1", [0, 3]),
        ("`x y` <= 2", [0, 3]),
        ("`x y`.isnull()", [1, 2]),
        ("t == 'a`b & c'", [3]),
        ("won", [0, 3]),
        ("~won", [1, 2]),
        ("won == False", [1]),
        ("a in [1, 3] and t.notnull()", [0]),
        ("t not in ('p', 'q')", [2, 3]),
        ("a > 1 & a < 3 | won", [0, 1, 3]),
        ("1 < a <= 2", [1]),
        ("a * 2 + `x y` > 1", [0]),
        ("a > -`x y`", [0]),
        ("a\n > 2", [2]),
        ('col("x y") > 1', [3]),
        ('col("t").notNull()', [0, 1, 3]),
        ('(col("a") > 1) & (col("a") < 3)', [1]),
        ("", [0, 1, 2, 3]),
    ],
)
def test_a_text_chooses_rows(condition: str, rows: list[int]) -> None:
    assert _chosen(condition, "pandas") == rows
    assert _chosen({"type": "pass_through", "pass_through_filter": condition} if condition else "") == rows


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("__import__('os').system('x')", "which is not allowed"),
        ("a.map(print)", "has 'a.map(print)', which is not allowed"),
        ("a @ 5 > 1", "has 'a @ 5'"),
        ("@limit > 1", "does not read as a condition"),
        ("a >", "does not read as a condition"),
        ("`a", "does not read as a condition"),
        ("a = 5", "does not read as a condition"),
        ("a == None", "for null there is x.isnull()"),
        ("a in b", "looks in what is no list"),
        ("1 < 2", "compares two constants"),
        ("5 in [5]", "looks for a constant in a list"),
        ("a is b", "has a comparison that is not there"),
        ("t + 1 > 2", "computes with what is no number"),
        ("-t > 2", "computes with what is no number"),
        ("(" * 400 + "a" + ")" * 400 + " > 1", "does not read as a condition"),
        ("not " * 60 + "won", "is nested too deep"),
        ("a" * 4001, "has 4001 characters"),
        ("lambda: a", "which is not allowed"),
        ({"type": "xor"}, "row_condition has no kind 'xor'"),
        ({"type": "and", "conditions": [7]}, "row_condition has no kind None"),
        ({"type": "nullity", "is_null": True}, "row_condition names no column"),
        (
            {"type": "comparison", "column": {"name": "a"}, "operator": "~", "parameter": 1},
            "there is no operator '~'",
        ),
        (
            {"type": "comparison", "column": {"name": "a"}, "operator": "==", "parameter": None},
            "compares with None",
        ),
        (
            {"type": "comparison", "column": {"name": "a"}, "operator": "IN", "parameter": 1},
            "the parameter of IN is no list",
        ),
        (7, "row_condition is a int, not a condition"),
    ],
)
def test_what_is_no_condition_is_refused_at_load(condition: Any, said: str) -> None:
    given = suite(rule("be_null", column="v", row_condition=condition))
    with pytest.raises(SuiteError) as caught:
        given.validate(TABLE)
    assert said in caught.value.message
    assert caught.value.message.startswith("Suite 'mine', rule 1 (expect_column_values_to_be_null): ")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("b > 1", "The table has no column 'b'. "),
        ("t > 1", "row_condition orders text and 1"),
        ("a > 'x'", "row_condition orders a column of int64 and 'x'"),
        ("a", "row_condition takes a column of int64 for true or false"),
        ("v in [1]", "row_condition looks for a column of"),
    ],
)
def test_a_condition_that_does_not_fit_is_a_failed_result(condition: str, said: str) -> None:
    (result,) = suite(rule("be_null", column="v", row_condition=condition)).validate(TABLE).results
    assert not result.success and said.strip() in result.error + " "


def test_another_parser_is_refused() -> None:
    given = suite(rule("be_null", column="v", row_condition="a > 1", condition_parser="spark"))
    with pytest.raises(SuiteError, match="there is no condition_parser 'spark' here"):
        given.validate(TABLE)


def test_a_gate_judges_the_rows_of_the_condition() -> None:
    given = suite(rule("be_between", column="speed", max_value=1, row_condition="lives > 0 and won"))
    rows = [
        row(CARTPOLE, speed=2.0, lives=1, won=True),
        row(CARTPOLE, speed=2.0, lives=0, won=True),
        row(CARTPOLE, speed=2.0, lives=None, won=True),
        row(CARTPOLE, speed=0.5, lives=1, won=True),
    ]
    assert judge(CARTPOLE, given, *rows).accepted.tolist() == [False, True, True, True]
    with pytest.raises(SuiteError, match="has no column 'live'"):
        Gate(CARTPOLE, suite(rule("be_null", column="speed", row_condition="live > 0")))
