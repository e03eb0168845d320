"""Custom rules: expressions in a suite, and registered Python functions."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from schemas.errors import SuiteError
from tests.validation.rows import CARTPOLE, judge, row, suite
from validation import Gate, Suite
from validation.rules import registered
from validation.rules.registered import register_rule

TABLE = pl.DataFrame({"a": [1, -2, None], "b": [1.0, 1.0, 1.0], "t": ["1", "x", None]})


@pytest.fixture(autouse=True)
def _no_rules_left() -> Iterator[None]:
    """Forget what a test registered."""
    kinds, functions = dict(registered._KINDS), dict(registered._FUNCTIONS)  # noqa: SLF001
    yield
    for held, before in ((registered._KINDS, kinds), (registered._FUNCTIONS, functions)):  # noqa: SLF001
        held.clear()
        held.update(before)  # type: ignore[arg-type]
    registered._load_packages.cache_clear()  # noqa: SLF001


def _expression(text: str, **kwargs: Any) -> Suite:
    return suite({"type": "expect_expression_to_be_true", "kwargs": {"expression": text, **kwargs}})


def _own(**kwargs: Any) -> Suite:
    return suite({"type": "expect_my_thing", "kwargs": kwargs})


@pytest.mark.parametrize(
    ("text", "failing", "missing"),
    [
        ('col("a") > 0', [1], 1),
        ('col("a") * col("b") >= -2', [], 1),
        ('col("t").cast(Int64) > 0', [1], 1),
        ('col("t").is_not_null()', [2], 0),
    ],
)
def test_an_expression_judges_each_row(text: str, failing: list[int], missing: int) -> None:
    (result,) = _expression(text).validate(TABLE).to_dict()["results"]
    assert result["result"]["unexpected_index_list"] == failing
    assert result["result"]["missing_count"] == missing


def test_an_expression_judges_at_the_gate() -> None:
    given = _expression('col("speed").abs() < 3', column="speed")
    verdict = judge(CARTPOLE, given, row(CARTPOLE, speed=1.0), row(CARTPOLE, speed=-4.0), row(CARTPOLE))
    assert verdict.accepted.tolist() == [True, False, True]
    gate = Gate(CARTPOLE, given)
    assert gate.rules[-1].column == "speed"
    assert gate.rules[-1].says is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('col("a")', "is Int64, not true or false"),
        ('col("a") > "x"', "does not fit its columns"),
        ('col("z") > 1', "has no column 'z'"),
        ("lit(1) > 0", "reads no column"),
        ('open("x")', "open"),
        ('col("a").sum() > 0', "sum"),
        ('col("a") >', "At character"),
    ],
)
def test_an_expression_that_cannot_be_says_where(text: str, said: str) -> None:
    try:
        (result,) = _expression(text).validate(TABLE).results
        message = result.error
    except SuiteError as exc:
        message = str(exc)
    assert message.startswith("Suite 'mine', rule 1 (expect_expression_to_be_true): ")
    assert said in message and "\n" not in message


def test_a_registered_function_judges_tables_and_gates() -> None:
    @register_rule("expect_my_thing", columns=["a", "b"], version="2")
    def below(rows: pl.DataFrame, limit: float = 0.0) -> pl.Series:
        return (rows["a"] * rows["b"]) > limit

    (result,) = _own(limit=0).validate(TABLE).to_dict()["results"]
    assert result["result"]["unexpected_list"] == [[-2, 1.0]]
    assert result["result"]["missing_count"] == 1
    register_rule("expect_my_gated_thing", lambda rows: rows["speed"] > 0)
    given = suite({"type": "expect_my_gated_thing", "kwargs": {"column": "speed"}})
    verdict = judge(CARTPOLE, given, row(CARTPOLE, speed=1.0), row(CARTPOLE, speed=-1.0), row(CARTPOLE))
    assert verdict.accepted.tolist() == [True, False, True]
    assert verdict.reasons.to_pylist()[1] == ["expect_my_gated_thing(speed)"]


def test_the_version_of_a_function_is_part_of_a_gates_hash() -> None:
    def judging(rows: pl.DataFrame) -> pl.Series:
        return rows["speed"] > 0

    hashes = set()
    for version in ("1", "2", "1"):
        register_rule("expect_my_thing", judging, columns=["speed"], version=version)
        hashes.add(Gate(CARTPOLE, _own()).suite_hash)
    assert len(hashes) == 2
    assert Gate(CARTPOLE, suite()).suite_hash not in hashes


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda rows: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda rows: [True] * len(rows), "returned list"),
        (lambda rows: rows["a"], "returned a series of Int64"),
        (lambda rows: pl.Series([True]), "returned 1 values for 3 rows"),
    ],
)
def test_a_function_that_breaks_lets_no_row_pass(returned: Any, said: str) -> None:
    register_rule("expect_my_thing", returned, columns=["a"])
    result, other = suite(
        {"type": "expect_my_thing"},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "b"}},
    ).validate(TABLE).results  # fmt: skip
    assert not result.success and f"The rule 'expect_my_thing' (version 1) {said}" in result.error
    assert other.success
    register_rule("expect_my_other_thing", returned, columns=["lives"])
    gate = Gate(CARTPOLE, suite({"type": "expect_my_other_thing"}))
    with pytest.raises(SuiteError, match="The rule 'expect_my_other_thing'"):
        judge(CARTPOLE, gate.suite, row(CARTPOLE), row(CARTPOLE), row(CARTPOLE))


def test_what_cannot_be_registered_or_called() -> None:
    def judging(rows: pl.DataFrame, limit: int) -> pl.Series:
        return rows["a"] > limit

    with pytest.raises(SuiteError, match="'my_thing' is none of an expectation"):
        register_rule("my_thing", judging)
    with pytest.raises(SuiteError, match="There is a rule 'expect_column_values_to_be_null' already"):
        register_rule("expect_column_values_to_be_null", judging)
    register_rule("expect_my_thing", judging, columns=["a"])
    with pytest.raises(SuiteError, match="is registered already, by"):
        register_rule("expect_my_thing", lambda rows: rows["a"] > 0, columns=["a"])
    with pytest.raises(SuiteError, match=r"its kwargs do not fit the function: .*limits"):
        _own(limit=1, limits=3).validate(TABLE)
    with pytest.raises(SuiteError, match="missing a required argument: 'limit'"):
        _own().validate(TABLE)


def test_installed_packages_offer_rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    name = "rules_of_a_test"
    (tmp_path / f"{name}.py").write_text(
        "from validation.rules.registered import register_rule\n"
        "register_rule('expect_my_thing', lambda rows: rows['a'] > 0, columns=['a'])\n"
    )
    info = tmp_path / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[replaylake.rules]\nmine = {name}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    registered._load_packages.cache_clear()  # noqa: SLF001
    (result,) = _own().validate(TABLE).results
    assert json.loads(json.dumps(result.to_dict()))["result"]["unexpected_index_list"] == [1]
    (tmp_path / f"{name}.py").write_text("1 / 0\n")
    monkeypatch.delitem(__import__("sys").modules, name)
    registered._load_packages.cache_clear()  # noqa: SLF001
    with pytest.raises(SuiteError, match="The rules 'mine' of an installed package cannot be loaded"):
        _own().validate(TABLE)
