"""The real Great Expectations is the oracle: the same rules on the same rows find the same rows."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.validation.rows import CARTPOLE, judge, row, rule, suite
from validation import Gate, Suite, compile_suite

_Oracle = Callable[[dict[str, Any], dict[str, list[Any]]], list[int]]


@pytest.fixture(scope="module")
def library() -> Iterator[Any]:
    """Import the library once (3 s), with its own warnings let through and its analytics off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GX_ANALYTICS_ENABLED", "false")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            imported = pytest.importorskip("great_expectations")
        yield imported


@pytest.fixture(scope="module")
def oracle(library: Any) -> _Oracle:
    """Return the rows that the library finds unexpected."""
    import pandas as pd
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    context = library.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("rows")
    batches = asset.add_batch_definition_whole_dataframe("all")

    def unexpected(held: dict[str, Any], columns: dict[str, list[Any]]) -> list[int]:
        expectation = ExpectationConfiguration(type=held["type"], kwargs=held["kwargs"]).to_domain_obj()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            batch = batches.get_batch({"dataframe": pd.DataFrame(columns)})
            found = batch.validate(expectation, result_format="COMPLETE").to_json_dict()
        assert not found["exception_info"].get("raised_exception"), found["exception_info"]
        rows: list[int] = found["result"]["unexpected_index_list"]
        assert found["result"]["unexpected_count"] == len(rows)
        return rows

    return unexpected


_FLOATS = st.sampled_from([0.0, -0.0, 1.0, 2.5, -3.0, 0.1, 1e300, math.inf, -math.inf, math.nan, None])
_INTS = st.sampled_from([0, 1, 2, -3, 7, None])
_WORDS = st.sampled_from(["", "a", "b", "A", None])
_BOUNDS = st.sampled_from([0, 1, 2.5, -3, 0.1, 7.0])


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Draw one of the five value rules, as it would stand in a suite."""
    verb = draw(st.sampled_from(["not_be_null", "be_null", "be_between", "be_in_set", "not_be_in_set"]))
    column = draw(st.sampled_from(["speed", "lives"] + ["word"] * (verb != "be_between")))
    if verb.endswith("null"):
        return rule(verb, column=column)
    if verb.endswith("set"):
        values = st.sampled_from(["", "a", "c"]) if column == "word" else _BOUNDS
        return rule(verb, column=column, value_set=draw(st.lists(values, min_size=1, max_size=3)))
    low, high = sorted(draw(st.tuples(_BOUNDS, _BOUNDS)))
    bounds: dict[str, Any] = draw(
        st.sampled_from([{"min_value": low}, {"max_value": high}, {"min_value": low, "max_value": high}])
    )
    strict: dict[str, Any] = {end: draw(st.booleans()) for end in ("strict_min", "strict_max")}
    return rule(verb, column=column, **bounds, **strict)


@settings(max_examples=200, deadline=None)
@given(rules(), st.lists(st.tuples(_FLOATS, _INTS, _WORDS), min_size=1, max_size=12))
def test_the_same_rows_fail(
    oracle: _Oracle, held: dict[str, Any], values: list[tuple[float | None, int | None, str | None]]
) -> None:
    columns = dict(zip(("speed", "lives", "word"), map(list, zip(*values, strict=True)), strict=True))
    rows = [row(CARTPOLE, speed=speed, lives=lives, word=word) for speed, lives, word in values]
    verdict = judge(CARTPOLE, suite(held), *rows)
    code = compile_suite(suite(held), CARTPOLE).rules[0].code
    failed = [index for index, codes in enumerate(verdict.reasons.to_pylist()) if code in codes]
    assert failed == oracle(held, columns)


def test_a_suite_that_the_library_wrote_is_read_and_written(library: Any) -> None:
    expectations = library.expectations
    written = library.ExpectationSuite(
        name="theirs",
        expectations=[
            expectations.ExpectColumnValuesToBeBetween(column="reward", min_value=0, max_value=1, mostly=0.9),
            expectations.ExpectColumnValuesToBeInSet(
                column="source", value_set=["test"], severity="warning", notes="why", meta={"a": 1}
            ),
        ],
    ).to_json_dict()
    ours = Suite.from_dict(written)
    assert ours.to_dict() == written
    assert [held.code for held in Gate(CARTPOLE, ours).rules][-2:] == ["between(reward)", "in_set(source)"]
