"""Suites: read from files as Great Expectations writes them, kept without loss, refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import NotFoundError, SuiteError
from validation import Expectation, Suite

WRITTEN: dict[str, Any] = {  # the shape in which Great Expectations 1.24 writes one
    "name": "cartpole",
    "id": "0b1e…",
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "reward", "min_value": 0.0, "max_value": 1.0, "mostly": 0.95},
            "meta": {"profiler_details": {"metric": "column.min"}},
            "notes": ["why", "this"],
            "severity": "warning",
            "id": "3f0c…",
            "rendered_content": [],
        },
        {
            "type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": "step"},
            "meta": {},
            "severity": "critical",
        },
    ],
    "meta": {"great_expectations_version": "1.24.1"},
    "notes": None,
}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
_OBJECTS = st.dictionaries(st.text(max_size=4), _JSON, max_size=3)


def _suites() -> st.SearchStrategy[dict[str, Any]]:
    rules = st.builds(
        lambda other, type_, kwargs, severity: {
            **other,
            "type": type_,
            "kwargs": kwargs,
            "severity": severity,
        },
        _OBJECTS,
        st.text(min_size=1, max_size=5),
        _OBJECTS,
        st.sampled_from(["critical", "warning", "info"]),
    )
    return st.builds(
        lambda other, name, held: {**other, "name": name, "expectations": held},
        _OBJECTS,
        st.text(min_size=1, max_size=5),
        st.lists(rules, max_size=3),
    )


def test_a_suite_is_kept_as_it_was_written() -> None:
    suite = Suite.from_dict(WRITTEN)
    assert suite.to_dict() == WRITTEN
    assert suite.expectations[0].severity == "warning"
    assert suite.expectations[1].kwargs == {"column": "step"}


@given(_suites())
def test_nothing_is_lost(written: dict[str, Any]) -> None:
    suite = Suite.from_dict(written)
    assert suite.to_dict() == written
    assert Suite.from_dict(json.loads(json.dumps(suite.to_dict()))) == suite


def test_a_suite_does_not_change_with_what_it_was_read_from() -> None:
    written = json.loads(json.dumps(WRITTEN))
    suite = Suite.from_dict(written)
    written["expectations"][0]["kwargs"]["max_value"] = 9
    suite.to_dict()["expectations"][0]["kwargs"]["max_value"] = 9
    assert suite.to_dict() == WRITTEN


def test_json_and_yaml_files_are_the_same_suite(tmp_path: Path) -> None:
    as_json, as_yaml = tmp_path / "suite.json", tmp_path / "suite.yaml"
    as_json.write_text("\ufeff" + json.dumps(WRITTEN), encoding="utf-8")
    as_yaml.write_text(
        """
        name: times
        expectations:
          - type: expect_column_values_to_be_between
            kwargs: {column: event_time, min_value: 2026-01-31}
        """
    )
    assert Suite.load(as_json) == Suite.from_dict(WRITTEN)
    assert Suite.load(str(as_yaml)).expectations == (
        Expectation(
            "expect_column_values_to_be_between", {"column": "event_time", "min_value": "2026-01-31"}
        ),
    )


def test_the_hash_is_of_what_judges() -> None:
    suite = Suite.from_dict(WRITTEN)
    turned = {key: WRITTEN[key] for key in reversed(WRITTEN)} | {"name": "another", "meta": {}}
    turned["expectations"] = [
        {
            "severity": "warning",
            "kwargs": {"mostly": 0.95, "max_value": 1, "min_value": 0, "column": "reward"},
            "type": "expect_column_values_to_be_between",
        },
        WRITTEN["expectations"][1],
    ]
    assert Suite.from_dict(turned).hash == suite.hash
    turned["expectations"][0]["severity"] = "critical"
    assert Suite.from_dict(turned).hash != suite.hash


def test_a_rule_without_a_severity_is_critical() -> None:
    suite = Suite.from_dict({"name": "s", "expectations": [{"type": "expect_step_to_have_key"}]})
    assert suite.expectations == (Expectation("expect_step_to_have_key", {}, "critical"),)


def _with(**changes: Any) -> dict[str, Any]:
    return {"name": "s", "expectations": [{"type": "t", "kwargs": {}}, {"type": "t", **changes}]}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ([], "The suite is a list, not a mapping"),
        ({"expectations": []}, "The suite has no name"),
        ({"expectation_suite_name": "s"}, "rename expectation_suite_name to name"),
        ({"name": 7}, "name 7 is not a text"),
        ({"name": ""}, "name '' is not a text"),
        ({"name": "s", "expectations": {}}, "'s': expectations is a dict, not a list"),
        ({"name": "s", "expectations": ["t"]}, "'s', rule 1 is a str, not a mapping"),
        ({"name": "s", "expectations": [{"kwargs": {}}]}, "'s', rule 1 has no type"),
        ({"name": "s", "expectations": [{"expectation_type": "t"}]}, "rename expectation_type to type"),
        (_with(type=7), "rule 2: the type 7 is not a text"),
        (_with(kwargs=[]), "rule 2: kwargs is a list, not a mapping"),
        (_with(severity="fatal"), "rule 2: the severity 'fatal' is none. There are: critical, warning, info"),
        (_with(severity=[]), "rule 2: the severity [] is none"),
        (_with(kwargs={1: 2}), "rule 2: the key 1 is not a text"),
        (_with(kwargs={"value_set": {1}}), "rule 2: {1} is a set, not a JSON value"),
    ],
)
def test_what_is_no_suite_is_refused_in_one_line(written: Any, said: str) -> None:
    with pytest.raises(SuiteError) as caught:
        Suite.from_dict(written)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("s.json", "{", "is not JSON: .* line 1"),
        ("s.json", "name: s", "Name it .yaml where it is YAML"),
        ("s.yaml", "name: [", "is not YAML at line"),
        ("s.json", "[]", "s.json' is a list"),
        ("s.json", "[" * 100_000, "is not JSON"),
        ("s.yml", "", "s.yml' is a NoneType"),
    ],
)
def test_a_file_that_holds_no_suite_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SuiteError, match=said):
        Suite.load(path)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no suite .*missing\.json"):
        Suite.load(tmp_path / "missing.json")
    with pytest.raises(SuiteError, match="cannot be read"):
        Suite.load(tmp_path)
    (tmp_path / "s.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SuiteError, match="cannot be read"):
        Suite.load(tmp_path / "s.json")
