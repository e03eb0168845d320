"""Rules on plain columns over tables: bad input, types, and results. Agreement is tested elsewhere."""

from __future__ import annotations

import datetime
import decimal
import itertools
import json
import math
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from schemas.errors import SuiteError, UsageError
from tests.validation.rows import CARTPOLE, row, rule, suite
from tests.validation.rows import table as steps
from validation import Gate, Suite, compile_suite
from validation.results import Result
from validation.rules.known import kinds

_DAY = datetime.date(2026, 1, 31)
_MOMENT = datetime.datetime(2026, 1, 31, 1, 2, 3)
_EVERY_TYPE: dict[str, pa.Array] = {
    "int8": pa.array([1, None], pa.int8()),
    "uint64": pa.array([2**64 - 1, None], pa.uint64()),
    "half": pa.array([1.5, None], pa.float16()),
    "double": pa.array([math.nan, math.inf]),
    "bool": pa.array([True, None]),
    "text": pa.array(["a", None]),
    "large": pa.array(["a", None], pa.large_string()),
    "view": pa.array(["a", None], pa.string_view()),
    "bytes": pa.array([b"\xff", None]),
    "day": pa.array([_DAY, None]),
    "moment": pa.array([_MOMENT, None], pa.timestamp("ns")),
    "zoned": pa.array([_MOMENT, None], pa.timestamp("ms", "UTC")),
    "clock": pa.array([_MOMENT.time(), None]),
    "span": pa.array([datetime.timedelta(seconds=1), None]),
    "decimal": pa.array([decimal.Decimal("1.5"), None]),
    "list": pa.array([[1.0, math.nan], None]),
    "fixed": pa.array([[1, 2], None], pa.list_(pa.int64(), 2)),
    "struct": pa.array([{"a": b"x", "b": _DAY}, None]),
    "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
    "coded": pa.array(["a", None]).dictionary_encode(),
    "null": pa.nulls(2),
}


def _judge(rows: Any, *rules: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = suite(*rules).validate(rows, **options).to_dict()["results"]
    return results


def _only(rows: Any, given: dict[str, Any]) -> Result:
    (result,) = suite(given).validate(rows).results
    return result


@pytest.mark.parametrize("name", _EVERY_TYPE)
def test_values_of_every_type_are_told_in_json(name: str) -> None:
    table = pa.table({"column": _EVERY_TYPE[name]})
    rules = [
        rule("be_null", column="column"),
        rule("not_be_null", column="column"),
        rule("be_in_set", column="column", value_set=["b", 7]),
        rule("be_between", column="column", min_value=7),
        rule("be_of_type", column="column", type_="int"),
        rule("match_regex", column="column", regex="^7$"),
        rule("be_json_parseable", column="column"),
        {"type": "expect_column_value_lengths_to_equal", "kwargs": {"column": "column", "value": 77}},
    ]
    told = _judge(table, *rules, result_format={"result_format": "COMPLETE", "include_unexpected_rows": True})
    assert json.loads(json.dumps(told)) == told
    assert told[0]["result"]["unexpected_count"] == {"null": 0, "double": 1}.get(name, 1)
    assert not told[0]["exception_info"]["raised_exception"]


def test_pandas_arrow_and_polars_are_judged_alike() -> None:
    frame = pl.DataFrame({"a": [1.0, 5.0, None], "t": ["x", None, "y"]})
    rules = [rule("be_between", column="a", max_value=2), rule("be_in_set", column="t", value_set=["x"])]
    told = [_judge(table, *rules) for table in (frame, frame.lazy(), frame.to_arrow())]
    told.append(_judge(frame.to_pandas(), *rules))
    for results in told:
        assert [result["result"]["unexpected_index_list"] for result in results] == [[1], [2]]


def test_rows_of_pandas_are_named_by_their_labels() -> None:
    frame = pl.DataFrame({"a": [1, 5], "k": ["x", "y"], "m": [7, 8]}).to_pandas()
    given = rule("be_between", column="a", max_value=2)

    def index(table: Any) -> Any:
        return _judge(table, given)[0]["result"]["unexpected_index_list"]

    assert index(frame) == [1]
    assert index(frame.set_axis(["p", "q"])) == ["q"]
    assert index(frame.set_index("k")) == [{"a": 5, "k": "y"}]
    assert index(frame.set_index(["k", "m"])) == [{"a": 5, "k": "y", "m": 8}]


def test_columns_that_are_not_there_or_have_no_one_type_are_failed_results() -> None:
    import pandas as pd

    frame = pd.DataFrame({"mixed": [1, "a", None], "a": [1, 2, 3]})
    for column, said in (("b", "The table has no column 'b'."), ("mixed", "it holds int, str")):
        (result,) = _judge(frame, rule("be_in_set", column=column, value_set=[1]))
        assert not result["success"] and result["result"] == {}
        assert result["exception_info"]["raised_exception"]
        assert said in result["exception_info"]["exception_message"]


def test_a_type_that_does_not_fit_fails_only_where_there_are_values() -> None:
    given = rule("be_between", column="t", min_value=1)
    strftime = rule("match_strftime_format", column="a", strftime_format="%Y")
    for held in (pl.DataFrame({"t": ["x"], "a": [1]}), pl.DataFrame({"t": ["x", None], "a": [None, 1]})):
        assert [result["exception_info"]["raised_exception"] for result in _judge(held, given, strftime)] == [
            True,
            True,
        ]
    for length in (0, 2):
        empty = pl.DataFrame(
            {"t": [None] * length, "a": [None] * length}, schema={"t": pl.String, "a": pl.Int64}
        )
        results = _judge(empty, given, strftime)
        assert [result["success"] for result in results] == [True, True]
        assert [result["result"]["element_count"] for result in results] == [length] * 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (rule("be_between", column="a", min_value=2, max_value=1), "min_value 2 is above max_value 1"),
        (rule("be_between", column="a", min_value="2026-01-31"), "min_value 2026-01-31 is not a number"),
        (rule("be_between", column="d", min_value="soon"), "min_value soon is not a time"),
        (rule("be_between", column="d", min_value=3), "min_value 3 is not a time"),
        (rule("be_between", column="t", min_value=3), "t is text; only numbers and times"),
        (rule("be_between", column="v", min_value=3), "only numbers and times have an order"),
        (rule("be_in_set", column="v", value_set=[3]), "which has no set"),
        (rule("match_regex", column="v", regex="a"), "which has no text"),
        (rule("match_strftime_format", column="d", strftime_format="%Y"), "only texts have a format"),
        (
            {
                "type": "expect_column_pair_values_a_to_be_greater_than_b",
                "kwargs": {"column_A": "a", "column_B": "t"},
            },
            "which have no order between them",
        ),
        (
            {
                "type": "expect_multicolumn_sum_to_equal",
                "kwargs": {"column_list": ["a", "t"], "sum_total": 1},
            },
            "t is text, which has no sum",
        ),
    ],
)
def test_what_does_not_fit_a_table_is_a_failed_result(given: dict[str, Any], said: str) -> None:
    table = pl.DataFrame({"a": [1], "t": ["x"], "v": [[1]], "d": [_MOMENT]})
    result = _only(table, given)
    assert not result.success
    assert said in result.error.replace("'", "")
    assert result.error.startswith(f"Suite 'mine', rule 1 ({given['type']}): ")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (rule("be_between", column="a"), "min_value and max_value are both missing"),
        (rule("be_between", column="a", min_value="soon"), "is not a number"),
        (rule("be_between", column="a", min_value=1, value=2), "it has no kwarg 'value'"),
        (rule("match_regex_list", column="t", regex_list=[]), "regex_list is empty"),
        (rule("match_regex_list", column="t", regex_list=["a"], match_on="some"), "match_on: "),
        (
            {"type": "expect_column_value_lengths_to_be_between", "kwargs": {"column": "t"}},
            "are both missing",
        ),
        (
            {"type": "expect_multicolumn_sum_to_equal", "kwargs": {"column_list": ["a"], "sum_total": 1}},
            "column_list: ",
        ),
        (
            {"type": "expect_column_pair_values_to_be_in_set",
             "kwargs": {"column_A": "a", "column_B": "t", "value_pairs_set": [[1]]}},
            "value_pairs_set.0: ",
        ),
    ],
)  # fmt: skip
def test_what_could_not_be_for_any_table_is_an_error(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SuiteError) as caught:
        suite(given).validate(pl.DataFrame({"a": [1], "t": ["x"]}))
    assert said in caught.value.message and "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("int64", "i"),
        ("int", "i"),
        ("Int64", "i"),
        ("float32", "h"),
        ("Float32", "h"),
        ("float", "f"),
        ("double", "f"),
        ("str", "t"),
        ("String", "t"),
        ("large_string", "t"),
        ("bool", "b"),
        ("Boolean", "b"),
        ("datetime64", "d"),
        ("Datetime", "d"),
        ("Timestamp", "z"),
        ("List", "v"),
        ("list", ""),
        ("nonsense", ""),
    ],
)
def test_types_have_the_names_of_pandas_polars_and_arrow(name: str, holds: str) -> None:
    schema: dict[str, Any] = {
        "i": pl.Int64,
        "f": pl.Float64,
        "h": pl.Float32,
        "t": pl.String,
        "b": pl.Boolean,
    }
    schema |= {"d": pl.Datetime(), "z": pl.Datetime(time_zone="UTC"), "v": pl.List(pl.Int64)}
    table = pl.DataFrame(schema=schema)
    held = [
        column for column in schema if _only(table, rule("be_of_type", column=column, type_=name)).success
    ]
    assert held in ([holds] if holds else [], ["d", "z"] if name == "Datetime" else [holds])


def test_types_are_an_audit_at_the_gate_and_a_wrong_one_is_a_mistake() -> None:
    compiled = compile_suite(suite(rule("be_of_type", column="reward", type_="float")), CARTPOLE)
    assert (len(compiled.rules), len(compiled.audits)) == (0, 1)
    with pytest.raises(SuiteError, match=r"reward is a column of double, never \['int'\]"):
        Gate(CARTPOLE, suite(rule("be_of_type", column="reward", type_="int")))


def test_every_value_of_python_objects_is_judged_by_its_type() -> None:
    import pandas as pd

    frame = pd.DataFrame({"v": pd.Series([[1], [2], None], dtype=object)})
    good, bad, column = _judge(
        frame,
        rule("be_of_type", column="v", type_="list"),
        rule("be_in_type_list", column="v", type_list=["int", "dict"]),
        rule("be_of_type", column="v", type_="object"),
    )
    assert good["success"] and good["result"]["missing_count"] == 1
    assert bad["result"]["unexpected_index_list"] == [0, 1]
    assert column["success"] and column["result"] == {"observed_value": "object_"}


def test_a_gate_says_what_was_wrong_with_which_values() -> None:
    given = suite(
        rule("match_regex", column="word", regex="^[a-c]+$"),
        rule("match_strftime_format", column="word", strftime_format="%Y"),
        rule("not_match_regex", column="speed", regex="[.]5$"),
        {
            "type": "expect_column_pair_values_a_to_be_greater_than_b",
            "kwargs": {"column_A": "step", "column_B": "lives"},
        },
        {"type": "expect_column_pair_values_to_be_equal", "kwargs": {"column_A": "step", "column_B": "step"}},
        {
            "type": "expect_multicolumn_sum_to_equal",
            "kwargs": {"column_list": ["step", "lives"], "sum_total": 3},
        },
    )
    gate = Gate(CARTPOLE, given)
    rows = steps(CARTPOLE, row(CARTPOLE, word="2x26", speed=1.5, lives=5), row(CARTPOLE, lives=0))
    verdict = gate.judge(rows)
    assert verdict.accepted.tolist() == [False, True]
    assert gate.describe(rows, verdict)[0].as_py() == (
        "word is '2x26', which '^[a-c]+$' does not match; word is '2x26', not as '%Y'; "
        "speed is 1.5, which '[.]5$' matches; step is 3, lives is 5: not in this order; "
        "step is 3, lives is 5: whose sum is not 3"
    )


def test_a_bound_means_the_float32_that_is_nearest() -> None:
    table = pl.DataFrame({"h": pl.Series([0.1], dtype=pl.Float32)})
    assert _only(table, rule("be_between", column="h", min_value=0.1, max_value=0.1)).success
    assert _only(table, rule("be_in_set", column="h", value_set=[0.1])).success


def test_times_are_compared_as_times() -> None:
    table = pl.DataFrame({"d": [_MOMENT, _DAY and datetime.datetime(2026, 2, 1)], "y": [_DAY, _DAY]})
    table = table.with_columns(z=pl.col("d").dt.replace_time_zone("UTC"))
    table = table.with_columns(b=pl.col("z").dt.convert_time_zone("Europe/Berlin"))
    bounds = [("d", "2026-02-01"), ("z", "2026-02-01T01:00:00+01:00"), ("z", "2026-02-01")]
    for column, bound in (*bounds, ("b", "2026-02-01")):
        (result,) = _judge(table, rule("be_between", column=column, min_value=bound))
        assert result["result"]["unexpected_index_list"] == [0]
    for given, column in itertools.product((table, table.to_pandas()), "zb"):
        (result,) = _judge(given, rule("be_in_set", column=column, value_set=["2026-02-01", "soon"]))
        assert result["result"]["unexpected_index_list"] == [0]
    assert _only(
        table, rule("be_between", column="y", min_value="2026-01-31", max_value="2026-01-31")
    ).success
    assert not _only(table, rule("be_between", column="d", min_value="2026-02-01T00:00:00Z")).success


@pytest.mark.parametrize(
    ("result_format", "said"),
    [
        ("ALL", "There is no result format 'ALL'"),
        ({"result_format": "BASIC", "shown": 3}, "has no option 'shown'"),
        ({"partial_unexpected_count": -1}, "partial_unexpected_count -1 is not a number of rows"),
    ],
)
def test_a_result_format_that_is_none(result_format: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        suite().validate(pl.DataFrame({"a": [1]}), result_format)


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(UsageError, match="A list is not a table"):
        suite().validate([1, 2])
    doubled = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(UsageError, match="two columns 'a'"):
        suite().validate(doubled)


def test_every_failing_row_is_told() -> None:
    table = pl.DataFrame({"a": range(1000)})
    (result,) = _judge(table, rule("be_between", column="a", max_value=-1))
    assert len(result["result"]["unexpected_list"]) == len(result["result"]["unexpected_index_list"]) == 1000
    assert len(result["result"]["partial_unexpected_list"]) == 20


def test_extra_keys_of_an_entry_do_no_harm() -> None:
    entry = {
        **rule("be_null", column="a", result_format="BASIC"),
        "id": "x",
        "rendered_content": [],
        "notes": "n",
    }
    given = Suite.from_dict({"name": "s", "id": None, "suite_parameters": {}, "expectations": [entry]})
    told = given.validate(pl.DataFrame({"a": [1]})).to_dict()
    assert told["results"][0]["expectation_config"]["id"] == "x"
    assert given.to_dict()["expectations"] == [entry]


def test_every_type_of_the_list_is_known() -> None:
    verbs = (
        "be_between not_be_null be_null be_in_set not_be_in_set match_regex not_match_regex match_regex_list "
    )
    verbs += "not_match_regex_list match_strftime_format be_of_type be_in_type_list be_json_parseable"
    names = {f"expect_column_values_to_{verb}" for verb in verbs.split()}
    names |= {f"expect_column_value_lengths_to_{verb}" for verb in ("be_between", "equal")}
    names |= {"expect_multicolumn_sum_to_equal", "expect_column_pair_values_a_to_be_greater_than_b"}
    assert names <= set(kinds())
