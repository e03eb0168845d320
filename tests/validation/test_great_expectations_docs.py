"""The real Great Expectations, run on request: its own result, and its Data Docs."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from schemas.errors import SuiteError, UsageError
from tests.validation.rows import CARTPOLE, row, rule, suite, table
from validation.great_expectations import build_data_docs, left_out, run_great_expectations

needs_library = pytest.mark.skipif(
    importlib.util.find_spec("great_expectations") is None, reason="the extra gx is not installed"
)
SUITE = suite(
    rule("be_between", column="speed", min_value=0, max_value=2),
    rule("be_between", column="speed", min_value=0, max_value=2),
    rule("not_be_null", "warning", column="observation"),
    {"type": "expect_column_max_to_be_between", "kwargs": {"column": "lives", "max_value": 3}},
    {"type": "expect_propensity_to_be_possible"},
    {
        **rule("be_unique", column="step"),
        "id": "0f0e0d0c-0000-4000-8000-000000000001",
        "meta": {"why": "key"},
    },
    name="driving",
)
ROWS = table(
    CARTPOLE,
    row(CARTPOLE, speed=1.0, lives=3, step=0, seen=datetime(2026, 1, 1, tzinfo=UTC)),
    row(CARTPOLE, speed=9.0, lives=4, step=1),
    row(CARTPOLE, speed=None, lives=None, step=2, observation=None),
)


@needs_library
def test_it_says_what_the_library_says(capfd: pytest.CaptureFixture[str]) -> None:
    found = run_great_expectations(SUITE, ROWS)
    assert found["success"] is False
    assert found["suite_name"] == "driving"
    assert found["meta"]["left_out"] == [{"rule": 5, "type": "expect_propensity_to_be_possible"}]
    ours = SUITE.validate(ROWS, spec=CARTPOLE).to_dict()["results"]
    judged = {_kind(result): result["success"] for result in found["results"]}
    assert judged == {
        _kind(result): result["success"] for result in ours if "propensity" not in _kind(result)
    }
    speeds = [
        result["result"]["unexpected_list"]
        for result in found["results"]
        if _kind(result).endswith("values_to_be_between")
    ]
    assert speeds == [[9.0], [9.0]]  # the library by itself would drop the second
    assert capfd.readouterr().out == ""


def _kind(result: dict[str, Any]) -> str:
    return str(result["expectation_config"]["type"])


@needs_library
@pytest.mark.parametrize("convert", [lambda rows: rows, pl.from_arrow, pa.Table.to_pandas])
def test_any_table_will_do(convert: Any) -> None:
    rows = pa.table({"a": [1, 2, None], "nested": [[1], None, [2, 3]]})
    given = suite(rule("not_be_null", column="a"), rule("not_be_null", column="nested"))
    results = run_great_expectations(given, convert(rows))["results"]
    assert [result["result"]["unexpected_index_list"] for result in results] == [[2], [1]]


@needs_library
def test_data_docs_are_pages_of_the_suite_and_of_the_result(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = warnings.showwarning
    index = build_data_docs(SUITE, ROWS, tmp_path / "docs", name="cartpole")
    assert index == tmp_path / "docs" / "index.html"
    assert "driving" in index.read_text("utf-8")
    expectations = tmp_path / "docs" / "expectations" / "driving.html"
    assert "step" in expectations.read_text("utf-8")
    (validation,) = (tmp_path / "docs" / "validations").rglob("*.html")
    text = validation.read_text("utf-8")
    assert "cartpole" in validation.name
    assert "driving" in text and "Failed" in text and "speed" in text
    assert capfd.readouterr().out == ""
    assert warnings.showwarning is shown


@needs_library
def test_docs_are_built_again_in_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for _ in range(2):
        assert build_data_docs(SUITE, ROWS, tmp_path / "docs").is_file()
    assert not list((tmp_path / "temporary").iterdir())


@needs_library
def test_what_the_library_does_not_know_is_named() -> None:
    assert left_out(SUITE) == ["expect_propensity_to_be_possible"]


@needs_library
def test_what_the_library_refuses_is_an_error() -> None:
    given = suite({"type": "expect_column_max_to_be_between", "kwargs": {"column": "a", "min_value": "x"}})
    with pytest.raises(SuiteError, match=r"rule 1 .* Great Expectations refuses it: .*min_value") as caught:
        run_great_expectations(given, ROWS)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "docs").write_text("")
    with pytest.raises(UsageError, match="cannot be a folder"):
        build_data_docs(SUITE, ROWS, tmp_path / "docs")


def test_without_the_library_the_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    with pytest.raises(UsageError, match=r"not installed. Install it: pip install replaylake\[gx\]"):
        run_great_expectations(SUITE, ROWS)
