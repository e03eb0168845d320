"""The real Great Expectations is the oracle: what is judged of a whole table is judged and told alike.

Each draw puts many expectations into one call of the library, for a call costs 50 ms. What is known to differ
is not drawn here; docs/great-expectations.md lists it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.validation.oracle import Oracle
from validation import Suite

_DRAWS = int(os.environ.get("REPLAYLAKE_ORACLE_DRAWS", "35"))
_FLOATS = [0.0, -0.0, 1.0, 2.5, -3.0, 0.1, 0.1, 0.3, 7.0, 1e12, math.inf, -math.inf, math.nan, math.nan, None]
_TAME = [0.1, 0.2, 0.3, 1.7, 2.5, -3.1, 40.0, math.nan]
_INTS = [0, 1, 1, 2, -3, 7, 900]
_WORDS = ["", "a", "a", "b", "A", "zebra", None]
_TIMES = [datetime(2026, 1, 1) + timedelta(hours=hours) for hours in (0, 1, 5, 24, 24, 300)]
_BOUNDS: list[Any] = [None, 0, 1, 2.5, -3, 0.1, 0.2, 7, 1000, 0.5]
_ODD = [0.1, 0.37, 0.61, 0.93, 1.13, 1.73, 2.9]  # at which no z-score lies by chance
_NUMBERS = ("level", "tame", "count", "lives", "single", "won", "nothing")
_SETS: dict[str, list[Any]] = {
    "level": [0, 1, 2.5, -3, 0.1, 7, True, "a"],
    "tame": [0.1, 0.2, 2.5, 40, None],
    "count": [0, 1, 2, -3, 7, 900, 2.5, "1", None, 1e30],
    "lives": [0, 1, 2, -3, 7, False],
    "word": ["", "a", "b", "A", "zebra", "new", 1, None],
    "won": [True, False, 0, 1, "a"],
    "nothing": [0, "a", None],
}
_BINS: list[list[float]] = [
    [0, 1, 2.5, 8],
    [-5, 0.1, 1000],
    [-math.inf, 0, 2, math.inf],
    [-math.inf, 1, 5],
    [0.5, 2, math.inf],
    [0, 9],
]


def _columns(rows: int) -> st.SearchStrategy[dict[str, list[Any]]]:
    def column(values: list[Any]) -> st.SearchStrategy[list[Any]]:
        return st.lists(st.sampled_from(values), min_size=rows, max_size=rows)

    return st.fixed_dictionaries(
        {
            "level": column(_FLOATS),
            "tame": column(_TAME),
            "single": column([0.5, 1.0, -2.25, 2.5, None]),
            "count": column(_INTS),
            "lives": column([*_INTS, None, None]),
            "word": column(_WORDS),
            "won": column([True, False]),
            "seen": column([*_TIMES, None]),
            "when": column([time.replace(tzinfo=UTC) for time in _TIMES]),
            "nothing": st.just([None] * rows),
        }
    )


def _frame(columns: Mapping[str, list[Any]]) -> Any:
    import pandas as pd

    types = {
        "level": "float64",
        "tame": "float64",
        "single": "float32",
        "count": "int64",
        "lives": "Int64",
        "word": "str",
        "won": "bool",
        "seen": "datetime64[us]",
        "when": "datetime64[us, UTC]",
        "nothing": "object",
    }
    return pd.DataFrame({name: pd.Series(held, dtype=types[name]) for name, held in columns.items()})


@st.composite
def _bounds(draw: st.DrawFn, column: str, low: Any = None) -> dict[str, Any]:
    values: list[Any] = _BOUNDS
    if column in ("seen", "when"):
        zone = "" if column == "seen" else "+00:00"
        values = [f"{time.isoformat()}{zone}" for time in _TIMES]
    kwargs = {name: draw(st.sampled_from(values)) for name in ("min_value", "max_value")}
    strict = {name: draw(st.booleans()) for name in ("strict_min", "strict_max")}
    return {**{name: value for name, value in kwargs.items() if value is not None}, **strict}


@st.composite
def _between(draw: st.DrawFn) -> dict[str, Any]:
    what = draw(st.sampled_from(["min", "max", "mean", "median", "stdev", "sum", "unique", "share", "there"]))
    names = {
        "unique": "unique_value_count",
        "share": "proportion_of_unique_values",
        "there": "proportion_of_non_null_values",
    }
    timed = ("seen", "when") if what in ("min", "max", "mean", "median") else ()
    counted = ("word", "seen", "when") if what in names else ()
    column = draw(
        st.sampled_from([*_NUMBERS, *timed, *counted, *(["word"] if what in ("max", "mean") else [])])
    )
    kwargs = draw(_bounds("" if what in names else column))
    if what == "unique":
        kwargs = {name: value if isinstance(value, bool) else int(value) for name, value in kwargs.items()}
    return _expect(f"column_{names.get(what, what)}_to_be_between", column=column, **kwargs)


@st.composite
def _quantiles(draw: st.DrawFn) -> dict[str, Any]:
    wanted = draw(st.lists(st.sampled_from([0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1]), min_size=1, max_size=4))
    ranges = []
    for _ in wanted:
        low, high = draw(st.tuples(st.sampled_from(_BOUNDS), st.sampled_from(_BOUNDS)))
        ranges.append(sorted((low, high)) if low is not None and high is not None else [low, high])
    method = draw(st.sampled_from([False, False, "linear", "lower", "higher", "midpoint", "nearest"]))
    column = draw(st.sampled_from(["level", "tame", "count", "word"]))
    asked = {"quantiles": wanted, "value_ranges": ranges}
    kind = "column_quantile_values_to_be_between"
    return _expect(kind, column=column, quantile_ranges=asked, allow_relative_error=method)


@st.composite
def _distinct(draw: st.DrawFn) -> dict[str, Any]:
    verb = draw(st.sampled_from(["be_in_set", "contain_set", "equal_set", "common"]))
    column = draw(st.sampled_from([*_SETS, *([] if verb == "common" else ["seen"])]))
    if column == "seen":
        values: list[Any] = [time.isoformat() for time in _TIMES[:4]]
    else:
        values = _SETS[column]
    value_set = draw(st.lists(st.sampled_from(values), min_size=verb == "be_in_set", max_size=len(values)))
    if verb == "common":
        ties = draw(st.sampled_from([True, False, None]))
        return _expect(
            "column_most_common_value_to_be_in_set", column=column, value_set=value_set, ties_okay=ties
        )
    return _expect(f"column_distinct_values_to_{verb}", column=column, value_set=value_set)


@st.composite
def _divergence(draw: st.DrawFn) -> dict[str, Any]:
    threshold = {"threshold": draw(st.sampled_from([0, 0.1, 0.5, 1.5, None]))}
    holdout = draw(st.sampled_from([0, 0, 0.1, 0.3]))
    kind = "column_kl_divergence_to_be_less_than"
    if draw(st.booleans()):
        column = draw(st.sampled_from(["level", "count", "lives", "word", "won"]))
        fitting = [value for value in _SETS[column] if type(value) in _TYPES_OF[column]]
        values = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=5, unique=True))
        partition: dict[str, Any] = {"values": values, "weights": draw(_weights(len(values)))}
        return _expect(
            kind, column=column, partition_object=partition, tail_weight_holdout=holdout, **threshold
        )
    column = draw(st.sampled_from(["level", "tame", "count", "single"]))
    bins = draw(st.sampled_from(_BINS))
    partition = {"bins": bins, "weights": draw(_weights(len(bins) - 1))}
    ends = [math.isinf(bins[0]), math.isinf(bins[-1])]
    kwargs: dict[str, Any] = {"internal_weight_holdout": draw(st.sampled_from([0, 0.1]))}
    if not any(ends) and draw(st.booleans()):
        partition["weights"] = [weight * 0.5 for weight in partition["weights"]]
        partition["tail_weights"] = [0.25, 0.25]
    elif not all(ends):
        kwargs["tail_weight_holdout"] = holdout
    return _expect(kind, column=column, partition_object=partition, **kwargs, **threshold)


_TYPES_OF = {"level": (int, float), "count": (int,), "lives": (int,), "word": (str,), "won": (bool,)}


def _weights(count: int) -> st.SearchStrategy[list[float]]:
    parts = st.lists(st.integers(0, 4), min_size=count, max_size=count).filter(any)
    return parts.map(lambda held: [part / sum(held) for part in held])


@st.composite
def _column_wide(draw: st.DrawFn) -> dict[str, Any]:
    mostly = {"mostly": draw(st.sampled_from([1, 1, 0.9, 0.5, 0]))}
    what = draw(st.sampled_from(["unique", "order", "fences", "around", "scores"]))
    if what == "unique":
        column = draw(st.sampled_from(["level", "count", "lives", "word", "won", "seen", "when", "nothing"]))
        return _expect("column_values_to_be_unique", column=column, **mostly)
    if what == "order":
        column = draw(st.sampled_from(["level", "tame", "count", "lives", "seen", "when", "nothing", "word"]))
        verb, strictly = draw(st.sampled_from(["increasing", "decreasing"])), draw(st.booleans())
        return _expect(f"column_values_to_be_{verb}", column=column, strictly=strictly, **mostly)
    odd = draw(st.sampled_from(_ODD))
    if what == "scores":
        column = draw(st.sampled_from(["level", "tame", "count", "won", "nothing", "word"]))
        kind = "column_value_z_scores_to_be_less_than"
        return _expect(kind, column=column, threshold=odd, double_sided=draw(st.booleans()), **mostly)
    method = "iqr" if what == "fences" else "std"
    columns = ["level", "tame", "count", "nothing", "word"]
    multiplier = draw(st.sampled_from([odd, 0]))
    return _expect(
        "column_values_to_not_be_outliers",
        column=draw(st.sampled_from(columns)),
        method=method,
        multiplier=multiplier,
        **mostly,
    )


@st.composite
def _across(draw: st.DrawFn) -> dict[str, Any]:
    ignore = draw(st.sampled_from(["all_values_are_missing", "any_value_is_missing", "never"]))
    kind = draw(
        st.sampled_from(["compound_columns_to_be_unique", "select_column_values_to_be_unique_within_record"])
    )
    names = ["level", "count", "tame", "word", "won"]
    if kind.startswith("compound"):
        names += ["lives", "seen", "when"]
    chosen = draw(st.lists(st.sampled_from(names), min_size=2, max_size=4, unique=True))
    mostly = draw(st.sampled_from([1, 0.9, 0.5]))
    return _expect(kind, column_list=chosen, ignore_row_if=ignore, mostly=mostly)


@st.composite
def _table(draw: st.DrawFn) -> dict[str, Any]:
    what = draw(st.sampled_from(["rows", "row", "columns", "column", "exists", "set", "list"]))
    names = ["level", "tame", "single", "count", "lives", "word", "won", "seen", "when", "nothing", "other"]
    low, high = sorted(draw(st.tuples(st.integers(0, 12), st.integers(0, 12))))
    if what == "rows":
        return _expect("table_row_count_to_be_between", **draw(st.sampled_from(_ranges(low, high))))
    if what == "columns":
        return _expect("table_column_count_to_be_between", **draw(st.sampled_from(_ranges(low, high))))
    if what in ("row", "column"):
        return _expect(f"table_{what}_count_to_equal", value=draw(st.sampled_from([low, high, 10])))
    if what == "exists":
        index = draw(st.sampled_from([None, 0, 1, 2, -1, -10, 99]))
        given = {} if index is None else {"column_index": index}
        return _expect("column_to_exist", column=draw(st.sampled_from(names)), **given)
    chosen = draw(st.sampled_from([names[:-1], names, names[1:-1], names[3:1:-1], []]))
    if what == "set":
        exact = {"exact_match": draw(st.booleans())} if draw(st.booleans()) else {}
        return _expect("table_columns_to_match_set", column_set=chosen, **exact)
    return _expect("table_columns_to_match_ordered_list", column_list=chosen)


def _ranges(low: int, high: int) -> list[dict[str, int]]:
    return [{"min_value": low}, {"max_value": high}, {"min_value": low, "max_value": high}, {}]


_SOME_ROWS = {
    "type": "comparison",
    "column": {"name": "count"},
    "operator": ">=",
    "parameter": 1,
}
_ABOUT_COLUMNS = ("column_to_exist", "table_column")  # which take no condition


def _where(expectations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let every other expectation be about some of the rows only."""
    return [
        {**held, "kwargs": {**held["kwargs"], "row_condition": _SOME_ROWS}}
        if number % 2 and not held["type"].removeprefix("expect_").startswith(_ABOUT_COLUMNS)
        else held
        for number, held in enumerate(expectations)
    ]


def _told_apart(expectations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave one of those that the library mixes up: to it all quantiles of one column are one metric."""
    kept: dict[Any, dict[str, Any]] = {}
    for number, expectation in enumerate(expectations):
        kwargs = expectation["kwargs"]
        mixed = "quantile_ranges" in kwargs
        kept[(kwargs["column"], kwargs["allow_relative_error"]) if mixed else number] = expectation
    return _where(list(kept.values()))


def _expect(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs}


_EXPECTATIONS = st.one_of(
    _between(),
    _between(),
    _quantiles(),
    _distinct(),
    _divergence(),
    _column_wide(),
    _column_wide(),
    _across(),
)


@settings(max_examples=_DRAWS, deadline=None)
@given(
    st.sampled_from([0, 1, 2, 3, 5, 9, 17]).flatmap(_columns),
    st.lists(st.one_of(_EXPECTATIONS, _EXPECTATIONS, _EXPECTATIONS, _table()), min_size=20, max_size=60).map(
        _told_apart
    ),
)
def test_a_table_is_judged_alike(
    oracle: Oracle, columns: dict[str, list[Any]], expectations: list[dict[str, Any]]
) -> None:
    frame = _frame(columns)
    theirs = oracle.judge(expectations, frame)
    ours = (
        Suite.from_dict({"name": "ours", "expectations": expectations}).validate(frame).to_dict()["results"]
    )
    for expectation, their, our in zip(expectations, theirs, ours, strict=True):
        told = f"{expectation}\nover {frame.to_dict('list')}\ntheirs: {their}\nours: {our}"
        raised = [bool(result["exception_info"]["raised_exception"]) for result in (their, our)]
        assert raised[0] == raised[1], told
        assert their["success"] == our["success"], told
        if not raised[0]:
            assert _alike(_comparable(their["result"]), _comparable(our["result"])), told


def _comparable(result: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what differs in its order or its words; lists of values without an order are sorted."""
    left_out = ("partial_", "unexpected_list", "unexpected_index_query", "details")
    held = {name: value for name, value in result.items() if not name.startswith(left_out)}
    details = dict(result.get("details") or {})
    if held.get("observed_value") == "NaT":  # the library's word for no time
        held["observed_value"] = None
    for place in (result, details):
        held |= {name: place[name] for name in ("unexpected_count", "missing_count") if name in place}
    for name in ("success_details", "mismatched"):
        if name in details:
            held[name] = details[name]
    for side in ("observed_partition", "expected_partition"):
        if side in details:
            partition = details[side]
            held[side] = (
                sorted(map(_pair, partition["values"], partition["weights"]))
                if "values" in partition
                else partition
            )
    return held


def _pair(value: Any, weight: float) -> str:
    plain = float(value) if isinstance(value, bool | int | float) else value
    return f"{plain!r}: {weight:.9f}"


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return (
            isinstance(other, Mapping)
            and one.keys() == other.keys()
            and all(_alike(one[k], other[k]) for k in one)
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    if (
        isinstance(one, str)
        and isinstance(other, str)
        and one.startswith("2026")
        and other.startswith("2026")
    ):
        apart = datetime.fromisoformat(one) - datetime.fromisoformat(other)
        return abs(apart) <= timedelta(microseconds=1)  # the mean of times, rounded
    return bool(one == other)


@pytest.mark.parametrize("rows", [0, 3])
def test_a_column_that_is_not_there_is_told_alike(oracle: Oracle, rows: int) -> None:
    frame = _frame({"count": [1] * rows, "word": ["a"] * rows})
    bins = {"bins": [0, 1], "weights": [1.0]}
    given = [
        _expect("column_max_to_be_between", column="other", max_value=1),
        _expect("column_values_to_be_unique", column="other"),
        _expect("column_distinct_values_to_be_in_set", column="other", value_set=["a"]),
        _expect("column_kl_divergence_to_be_less_than", column="other", partition_object=bins, threshold=1),
        _expect("compound_columns_to_be_unique", column_list=["count", "other"]),
    ]
    ours = Suite.from_dict({"name": "ours", "expectations": given}).validate(frame).to_dict()["results"]
    for results in (oracle.judge(given, frame), ours):
        assert [result["exception_info"]["raised_exception"] for result in results] == [True] * len(given)
        assert not any(result["success"] for result in results)
