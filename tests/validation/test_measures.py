"""Measures and rules on whole tables: what they say where Great Expectations says nothing, or otherwise."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from schemas.errors import SuiteError
from tests.validation.rows import suite

NAN, INF = math.nan, math.inf


def _expect(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs}


def _judge(table: pa.Table, kind: str, **kwargs: Any) -> dict[str, Any]:
    (result,) = suite(_expect(kind, **kwargs)).validate(table).to_dict()["results"]
    return dict(result)


def _of(values: Any, type_: pa.DataType | None = None) -> pa.Table:
    return pa.table({"x": pa.array(values, type_)})


_DAYS = [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC), None]


@pytest.mark.parametrize(
    ("table", "what", "kwargs", "success", "observed"),
    [
        (_of(_DAYS), "max", {"max_value": "2026-01-03"}, True, "2026-01-03T00:00:00+00:00"),
        (_of(_DAYS), "mean", {"min_value": "2026-01-03T00:00Z"}, False, "2026-01-02T00:00:00+00:00"),
        (_of([], pa.timestamp("us", "UTC")), "max", {"max_value": "2026-01-03"}, False, None),
        (_of([], pa.timestamp("us", "UTC")), "median", {}, False, None),
        (_of([date(2026, 1, 1), None]), "min", {"min_value": "2026-01-01"}, True, "2026-01-01"),
        (_of([Decimal("1.5"), Decimal("2.5")]), "mean", {"max_value": 2}, True, 2.0),
        (_of([0.1, 0.1], pa.float32()), "max", {"max_value": 0.1}, True, pytest.approx(0.1)),
        (_of([0.1, 0.1], pa.float32()), "mean", {"max_value": 0.1}, True, pytest.approx(0.1)),
        (_of(["b", "a", None]), "max", {}, True, "b"),
        (_of([None, None], pa.string()), "max", {"max_value": 1}, False, None),
        (_of([True, False, None]), "sum", {"max_value": 1}, True, 1),
        (_of([2**62, 1]), "max", {"max_value": 2**62}, True, 2**62),
        (_of([INF, -INF]), "mean", {}, False, None),
        (_of([INF, INF]), "median", {"min_value": 1}, True, INF),
        (_of([NAN, None, 1.0]), "unique_value_count", {"max_value": 1}, True, 1),
        (_of([NAN, None, 1.0]), "proportion_of_non_null_values", {"max_value": 0.4}, True, 1 / 3),
        (_of([[1], None]), "proportion_of_non_null_values", {"min_value": 0.5}, True, 0.5),
        (_of([], pa.null()), "sum", {"max_value": 0}, True, 0.0),
    ],
)  # fmt: skip
def test_a_value_of_a_column(
    table: pa.Table, what: str, kwargs: dict[str, Any], success: bool, observed: Any
) -> None:
    found = _judge(table, f"column_{what}_to_be_between", column="x", **kwargs)
    assert not found["exception_info"]["raised_exception"]
    assert (found["success"], found["result"]["observed_value"]) == (success, observed)


@pytest.mark.parametrize(
    ("table", "kind", "kwargs", "said"),
    [
        (_of(["a"]), "column_mean_to_be_between", {"max_value": 1}, "x is text, which has no mean"),
        (_of(["a"]), "column_max_to_be_between", {"max_value": 1}, "'a' cannot be compared with 1"),
        (_of(_DAYS), "column_max_to_be_between", {"max_value": 1}, "max_value 1 is not a time"),
        (_of(_DAYS), "column_stdev_to_be_between", {}, "has no standard deviation"),
        (_of([[1]]), "column_min_to_be_between", {}, "list<item: int64>, which has no order"),
        (_of([[1]]), "column_unique_value_count_to_be_between", {}, "whose values are not counted"),
        (_of([[1]]), "column_distinct_values_to_contain_set", {"value_set": [1]}, "which has no set"),
        (_of(["a"]), "column_values_to_be_increasing", {}, "x is text, which has no order from row to row"),
        (_of(["a"]), "column_values_to_not_be_outliers", {}, "x is text, which has no outliers"),
    ],
)
def test_what_does_not_fit_a_column_is_told_in_the_result(
    table: pa.Table, kind: str, kwargs: dict[str, Any], said: str
) -> None:
    found = _judge(table, kind, column="x", **kwargs)
    assert not found["success"]
    assert said in found["exception_info"]["exception_message"]


_HALVES = {"bins": [0, 1, 2], "weights": [0.5, 0.5]}
_TAILED = {"bins": [0, 1], "weights": [0.8], "tail_weights": [0.1, 0.1]}
_QUANTILE = "column_quantile_values_to_be_between"
_DIVERGENCE = "column_kl_divergence_to_be_less_than"


@pytest.mark.parametrize(
    ("kind", "kwargs", "said"),
    [
        ("column_max_to_be_between", {"max_value": "soon"}, "max_value 'soon' is not a number"),
        ("column_stdev_to_be_between", {"max_value": "1"}, "max_value '1' is not a number"),
        ("column_unique_value_count_to_be_between", {"max_value": 2.5}, "2.5 is not a whole number"),
        ("column_distinct_values_to_be_in_set", {"value_set": []}, "value_set [] is empty"),
        ("column_distinct_values_to_contain_set", {"value_set": [[1]]}, "is a list or a mapping"),
        ("column_values_to_not_be_outliers", {"method": "mad"}, "method: Input should be 'iqr' or 'std'"),
        ("column_values_to_not_be_outliers", {"multiplier": -1}, "multiplier: Input should be greater"),
        ("column_value_z_scores_to_be_less_than", {"threshold": 3}, "double_sided is missing"),
        (_QUANTILE, {"quantile_ranges": {"quantiles": [0.5], "value_ranges": []}}, "1 quantiles and 0"),
        (_QUANTILE, {"quantile_ranges": {"quantiles": [2], "value_ranges": [[0, 1]]}}, "less than or equal"),
        (_QUANTILE, {"quantile_ranges": {"quantiles": [0], "value_ranges": [[2, 1]]}}, "[2, 1] ends before"),
        (_QUANTILE, {"quantile_ranges": {"quantiles": [0], "value_ranges": [[2]]}}, "at least 2 items"),
        (
            _QUANTILE,
            {"quantile_ranges": {"quantiles": [0], "value_ranges": [[0, 1]]}, "allow_relative_error": True},
            "allow_relative_error True is no way to find a quantile. There are: linear",
        ),
        (_DIVERGENCE, {"threshold": 1}, "partition_object is missing. Write"),
        (_DIVERGENCE, {"partition_object": {"bins": [0, 1]}}, "has no list of weights"),
        (_DIVERGENCE, {"partition_object": {"bins": [0, 1], "weights": [0.5]}}, "sum to 0.5"),
        (_DIVERGENCE, {"partition_object": {"bins": [1, 0], "weights": [1]}}, "do not increase"),
        (_DIVERGENCE, {"partition_object": {"bins": [1], "weights": [1]}}, "one more edge"),
        (_DIVERGENCE, {"partition_object": {"bins": [1, "a"], "weights": [1]}}, "'a', which is no number"),
        (_DIVERGENCE, {"partition_object": {"values": [1], "weights": [0.5, 0.5]}}, "as many values"),
        (_DIVERGENCE, {"partition_object": {"values": [1, 1.0], "weights": [0.5, 0.5]}}, "a value twice"),
        (_DIVERGENCE, {"partition_object": {**_TAILED, "tail_weights": [0.1]}}, "two weights"),
        (
            _DIVERGENCE,
            {"partition_object": _TAILED, "tail_weight_holdout": 0.1},
            "has tail_weights and tail_weight_holdout",
        ),
        (
            _DIVERGENCE,
            {"partition_object": {"bins": [-INF, INF], "weights": [1]}, "tail_weight_holdout": 0.1},
            "both edges are infinite",
        ),
        (_DIVERGENCE, {"partition_object": _HALVES, "bucketize_data": False}, "bucketize_data is false"),
        (
            _DIVERGENCE,
            {"partition_object": {"values": [1], "weights": [1]}, "internal_weight_holdout": 0.1},
            "internal_weight_holdout is for bins",
        ),
        (_DIVERGENCE, {"partition_object": _HALVES, "threshold": -1}, "threshold: Input should be greater"),
    ],
)  # fmt: skip
def test_a_kwarg_that_can_never_be_is_an_error(kind: str, kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(SuiteError) as caught:
        _judge(_of([1.0]), kind, column="x", **kwargs)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(
    ("kind", "kwargs", "said"),
    [
        (
            "table_row_count_to_be_between",
            {"min_value": 2, "max_value": 1},
            "min_value 2 is above max_value 1",
        ),
        ("table_row_count_to_be_between", {"min_value": 1.5}, "1.5 is not a whole number"),
        ("table_row_count_to_equal", {"value": 1.5}, "value 1.5 is not a whole number"),
        ("table_column_count_to_equal", {}, "value is missing"),
        ("column_to_exist", {"column": ""}, "at least 1 character"),
        ("compound_columns_to_be_unique", {"column_list": ["x"]}, "at least 2 items"),
        ("compound_columns_to_be_unique", {"column_list": ["x", "x"]}, "column_list has 'x' twice"),
        (
            "compound_columns_to_be_unique",
            {"column_list": ["x", "y"], "ignore_row_if": "no"},
            "ignore_row_if",
        ),
    ],
)
def test_a_kwarg_of_a_table_that_can_never_be_is_an_error(
    kind: str, kwargs: dict[str, Any], said: str
) -> None:
    with pytest.raises(SuiteError) as caught:
        _judge(_of([1.0]), kind, **kwargs)
    assert said in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(
    ("values", "kind", "kwargs", "failing"),
    [
        ([False, True, True, False], "values_to_be_increasing", {}, [3]),
        ([True, False], "values_to_be_increasing", {}, [1]),
        ([1.0, None, 1.0, NAN, 2.0], "values_to_be_increasing", {"strictly": True}, [2]),
        ([INF, INF, -INF], "values_to_be_decreasing", {"strictly": True}, []),
        ([2**53, 2**53 + 1, 2**53 + 1], "values_to_be_increasing", {"strictly": True}, [2]),
        ([date(2026, 1, 2), date(2026, 1, 1)], "values_to_be_increasing", {}, [1]),
        ([[1], [1], [2], None], "values_to_be_unique", {}, [0, 1]),
        ([0.0, -0.0, 1.0], "values_to_be_unique", {}, [0, 1]),
        ([5, 5, 5, 6], "value_z_scores_to_be_less_than", {"threshold": 1, "double_sided": False}, [3]),
        (_DAYS, "value_z_scores_to_be_less_than", {"threshold": 0.5, "double_sided": False}, [1]),
        ([1, 2, 3, 4, 100], "values_to_not_be_outliers", {}, [4]),
        ([1.0, 2.0, INF], "values_to_not_be_outliers", {"method": "std"}, []),
    ],
)
def test_rows_that_fail_among_the_others(
    values: list[Any], kind: str, kwargs: dict[str, Any], failing: list[int]
) -> None:
    assert (
        _judge(_of(values), f"column_{kind}", column="x", **kwargs)["result"]["unexpected_index_list"]
        == failing
    )


def test_the_sets_of_values_say_what_is_missing_and_what_is_not_expected() -> None:
    found = _judge(_of(_DAYS), "column_distinct_values_to_equal_set", column="x", value_set=["2026-01-01", 7])
    assert not found["success"]
    told = str(found["result"])
    assert "2026-01-03T00:00:00+00:00" in told and "[7]" in told
    many = _judge(_of(range(1000)), "column_distinct_values_to_be_in_set", column="x", value_set=[0])
    assert "999" in str(many["result"]) and "21" not in str(many["result"])


def test_a_time_may_be_the_most_common_value() -> None:
    table = _of([*_DAYS, _DAYS[1]])
    given: dict[str, Any] = {"column": "x", "value_set": ["2026-01-03"]}
    assert _judge(table, "column_most_common_value_to_be_in_set", **given)["success"]


def test_columns_without_one_type_count_as_columns() -> None:
    table = pl.DataFrame({"a": [1]}).to_pandas().assign(mixed=[object()])
    assert _judge(table, "column_to_exist", column="mixed")["success"]
    assert _judge(table, "table_column_count_to_equal", value=2)["success"]


def test_a_divergence_of_its_own_distribution_is_none() -> None:
    partition = {"values": ["a", "b"], "weights": [0.75, 0.25]}
    found = _judge(
        _of(["a", "b", "a", "a", None]), _DIVERGENCE, column="x", partition_object=partition, threshold=0
    )
    assert found["success"] and found["result"]["observed_value"] == 0
    bins = {"bins": [0, 1, 2], "weights": [0.5, 0.5]}
    assert _judge(_of([0.0, 2.0]), _DIVERGENCE, column="x", partition_object=bins, threshold=0)["success"]
    assert not _judge(_of([0.0, 2.1]), _DIVERGENCE, column="x", partition_object=bins, threshold=9)["success"]


_AB = pa.table({"a": pa.array([1, 1, None, None]), "b": pa.array(["x", "x", "y", None])})


@pytest.mark.parametrize(
    ("kind", "kwargs", "success"),
    [
        ("table_row_count_to_be_between", {"min_value": 4, "max_value": 4}, True),
        ("table_row_count_to_be_between", {"min_value": 4, "strict_min": True}, False),
        ("table_row_count_to_equal", {"value": 4.0}, True),
        ("table_column_count_to_be_between", {"max_value": 1}, False),
        ("table_column_count_to_equal", {"value": 2}, True),
        ("column_to_exist", {"column": "b", "column_index": 1}, True),
        ("column_to_exist", {"column": "b", "column_index": 7}, False),
        ("table_columns_to_match_ordered_list", {"column_list": ["a", "b"]}, True),
        ("table_columns_to_match_ordered_list", {"column_list": ["b", "a"]}, False),
        ("table_columns_to_match_set", {"column_set": ["b", "a"]}, True),
        ("table_columns_to_match_set", {"column_set": ["a"]}, False),
        ("table_columns_to_match_set", {"column_set": ["a"], "exact_match": False}, True),
        (
            _QUANTILE,
            {"column": "a", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[1, None]]}},
            True,
        ),
        (
            _QUANTILE,
            {"column": "a", "quantile_ranges": {"quantiles": [0], "value_ranges": [[None, 0.5]]}},
            False,
        ),
    ],
)
def test_a_table_itself(kind: str, kwargs: dict[str, Any], success: bool) -> None:
    assert _judge(_AB, kind, **kwargs)["success"] is success


@pytest.mark.parametrize(
    ("ignore", "compound", "within"),
    [
        ("all_values_are_missing", [0, 1], []),
        ("any_value_is_missing", [0, 1], []),
        ("never", [0, 1], [3]),
    ],
)
def test_columns_side_by_side(ignore: str, compound: list[int], within: list[int]) -> None:
    given: dict[str, Any] = {"column_list": ["a", "b"], "ignore_row_if": ignore}
    found = _judge(_AB, "compound_columns_to_be_unique", **given)
    assert found["result"]["unexpected_index_list"] == compound
    found = _judge(_AB, "select_column_values_to_be_unique_within_record", **given)
    assert found["result"]["unexpected_index_list"] == within
