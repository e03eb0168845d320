"""The real Great Expectations is the oracle: the same suite on the same rows finds the same.

`AGREEMENT_EXAMPLES=500 pytest tests/validation/test_great_expectations.py` tries more than `make test`; an
example is a table and 30 expectations.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.validation.oracle import Oracle
from tests.validation.rows import CARTPOLE
from tests.validation.suites import expectations, frames
from validation import Gate, Suite

_EXAMPLES = int(os.environ.get("AGREEMENT_EXAMPLES", "30"))
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
_FORMATS = st.sampled_from(
    [
        "COMPLETE",
        "COMPLETE",
        "SUMMARY",
        "BASIC",
        "BOOLEAN_ONLY",
        {"result_format": "COMPLETE", "unexpected_index_column_names": ["i", "t"]},
        {
            "result_format": "COMPLETE",
            "include_unexpected_rows": True,
            "return_unexpected_index_query": False,
        },
        {"result_format": "SUMMARY", "partial_unexpected_count": 1, "return_unexpected_index_query": True},
        {"result_format": "COMPLETE", "partial_unexpected_count": 0},
        {"result_format": "COMPLETE", "exclude_unexpected_values": True},
        {
            "result_format": "COMPLETE",
            "exclude_unexpected_values": True,
            "unexpected_index_column_names": ["i"],
        },
    ]
)


def is_alike(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Compare results but for what differs in writing only; docs/validation.md has the list."""
    mine, other = _plain(ours), _plain(theirs)
    for held in (mine, other):
        held.pop("unexpected_index_column_names", None)
    counts = [held.pop("partial_unexpected_counts", None) for held in (mine, other)]
    if None in counts or any(_has_null(one["value"]) for one in counts[1]):
        counts = []  # each null is a value of its own there, and may stop the counting
    return mine == other and (not counts or sorted(map(repr, counts[0])) == sorted(map(repr, counts[1])))


def _has_null(value: Any) -> bool:
    return value is None or (isinstance(value, list) and None in value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_plain(held) for held in value]
    if isinstance(value, str):
        return None if value == "NaT" else str(value).removesuffix(".000000")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


@settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=_SLOW)
@given(frames(), st.lists(expectations(), min_size=30, max_size=30), _FORMATS)
def test_a_table_is_judged_alike(
    oracle: Oracle, frame: Any, rules: list[dict[str, Any]], result_format: Any
) -> None:
    suite = {"name": "generated", "expectations": rules}
    theirs = oracle.validate(suite, frame, result_format)
    ours = Suite.from_dict(suite).validate(frame, result_format).to_dict()
    json.dumps(ours)
    for rule, mine, other in zip(rules, ours["results"], theirs["results"], strict=True):
        raised = other["exception_info"]["raised_exception"]
        assert mine["exception_info"]["raised_exception"] == raised, (rule, mine, other)
        assert mine["success"] == other["success"], (rule, mine, other)
        assert is_alike(mine["result"], other["result"]), (rule, mine, other)
    assert ours["success"] == theirs["success"]
    assert ours["statistics"] == theirs["statistics"]


def test_a_suite_that_the_library_wrote_is_read_and_written(oracle: Oracle) -> None:
    expectations = oracle.library.expectations
    written = oracle.library.ExpectationSuite(
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


def test_of_objects_a_list_of_types_is_asked_value_by_value(oracle: Oracle) -> None:
    frame = pd.DataFrame({"n": pd.Series(["a", None], dtype=object)})
    kind, names = "expect_column_values_to_be_in_type_list", (["object"], ["O", "int"], ["str", "object_"])
    rules = [{"type": kind, "kwargs": {"column": "n", "type_list": listed}} for listed in names]
    suite = {"name": "types", "expectations": rules}
    theirs = oracle.validate(suite, frame)["results"]
    ours = Suite.from_dict(suite).validate(frame, "COMPLETE").to_dict()["results"]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["success"] == other["success"]
        assert is_alike(mine["result"], other["result"])
