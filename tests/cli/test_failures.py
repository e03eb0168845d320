"""The one place that translates failures, and the small parts beside it."""

from __future__ import annotations

import json
import logging
import math
import re
import shlex
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

import pytest

from replaylake.cli.assignments import parse_assignments
from replaylake.cli.failures import exit_code_of
from replaylake.cli.json_text import json_text, plain
from schemas.errors import (
    DataError,
    NotFoundError,
    QueryError,
    ReplayLakeError,
    StorageError,
    StreamError,
    TrainingError,
    UsageError,
)
from tests.cli.command import call, ok


def _raises(exc: BaseException) -> Callable[[], NoReturn]:
    def action() -> NoReturn:
        raise exc

    return action


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (UsageError("no"), 2),
        (QueryError("no"), 2),
        (NotFoundError("lake", "x"), 2),
        (DataError("no"), 1),
        (StreamError("no"), 1),
        (StorageError("no"), 1),
        (TrainingError("no"), 1),
        (ReplayLakeError("no"), 1),
        (ValueError("no"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_codes(exc: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(_raises(exc), as_json=True) == code
    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert error["kind"] == ("InternalError" if isinstance(exc, ValueError) else type(exc).__name__)
    assert printed.err.startswith(f"error: {error['message']}")


def test_the_hint_stands_below(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code_of(_raises(UsageError("The value 'a[b]' is\n  wrong.", hint="Write [c].")), as_json=False)
    assert capsys.readouterr() == ("", "error: The value 'a[b]' is wrong.\nWrite [c].\n")


def test_an_interrupt_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(_raises(KeyboardInterrupt()), as_json=True) == 130
    assert capsys.readouterr() == ("", "")


def test_what_nobody_expected_is_one_line_unless_it_is_looked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code_of(_raises(ZeroDivisionError("oh\nno")), as_json=False) == 1
    said = capsys.readouterr().err
    assert said.splitlines()[0] == "error: Unexpected ZeroDivisionError: oh no"
    assert "--log-level debug" in said and "Traceback" not in said
    logging.getLogger("replaylake").setLevel(logging.DEBUG)
    exit_code_of(_raises(ZeroDivisionError("oh")), as_json=False)
    assert "Traceback" in capsys.readouterr().err


def test_plain() -> None:
    content = {
        "numbers": [math.nan, math.inf, -math.inf, 1.5, Decimal("2"), Decimal("2.5")],
        "times": (date(2026, 1, 2), time(3, 4)),
        "bytes": b"\x01",
        1: None,
        "other": frozenset({1}),
    }
    assert plain(content) == {
        "numbers": ["NaN", "Infinity", "-Infinity", 1.5, 2, 2.5],
        "times": ["2026-01-02", "03:04:00"],
        "bytes": "AQ==",
        "1": None,
        "other": "frozenset({1})",
    }
    assert json.loads(json_text(content)) == plain(content)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("-2E5", -200_000.0),
        ("true", True),
        ("null", None),
        ("", ""),
        ("a b", "a b"),
        ("'5'", "5"),
        ("[1, 2]", [1, 2]),
        ("2026-01-02", date(2026, 1, 2)),
        ("a=b", "a=b"),
    ],
)
def test_assignments(text: str, value: object) -> None:
    assert parse_assignments([f"name={text}"], what="setting") == {"name": value}


@pytest.mark.parametrize("word", ["", "=1", "1a=2", "a b=1"])
def test_words_that_assign_nothing(word: str) -> None:
    with pytest.raises(UsageError, match="not name=value"):
        parse_assignments([word], what="setting")


def test_of_many_names_some_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"archive_{number:03}" for number in range(299)] + ["cartpole"]
    exit_code_of(_raises(NotFoundError("archive", "cartpol", known=names)), as_json=False)
    said = capsys.readouterr().err
    assert "archive_000" in said and "archive_019 and 280 others." in said and "archive_020" not in said
    assert "Did you mean 'cartpole'?" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("snapshot create cartpole --where nope", 'Referenced column "nope" not found in FROM clause.\n'),
        ("snapshot create cartpole --where ''", "does not work: it is empty.\n"),
        ("quarantine list cartpole --where nope", 'Referenced column "nope" not found in FROM clause.\n'),
        ("maintain erase cartpole --dry-run --where 'reward >'", 'syntax error at or near ">".\n'),
        ("archive stats cartpole --since 2026-13-01", "'2026-13-01' is no day such as 2026-03-31.\n"),
        ("archive stats cartpole --by year", "'year' is not one of 'day', 'week', 'month'.\n"),
        ("archive create new --spec nope.yaml", "There is no spec 'nope.yaml'.\nName a file"),
        ("archive evolve cartpole --add reward=text", "possible: the extra column 'reward' has the name"),
    ],
)
def test_a_message_is_a_plain_line_and_a_mend(words: str, said: str, lake: Path) -> None:
    outcome = call(*shlex.split(words))
    assert outcome.code == 2
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 2
    assert not re.search(r"Error:|%Y|!\.|None", outcome.err)


def test_what_finds_nothing_says_so(lake: Path, folder: Path) -> None:
    assert "nothing to do" in ok("maintain", "retain", "--all").out
    assert ok("maintain", "retain", "--all", "--json").document == []
    words = ("maintain", "erase", "cartpole", "--agent", "nobody", "--dry-run")
    assert "is the name right?" in ok(*words).err
    assert "nothing to finish" in ok("maintain", "erase", "cartpole", "--resume").out
    ok("archive", "create", "empty", "--env", "CartPole-v1", "--lake", folder / "empty")
    assert "no snapshots" in ok("snapshot", "list", "--lake", folder / "empty").out
