"""What holds for every verb."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from replaylake.cli import verbs
from replaylake.cli.app import app
from replaylake.settings import Settings
from tests.cli.command import call, ok


def _verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, part in getattr(command, "commands", {}).items():
        yield from _verbs(part, (*path, name))
    if not hasattr(command, "commands"):
        yield path, command


VERBS = dict(_verbs(typer.main.get_command(app)))


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_a_verb_has_help_with_an_example_of_itself(path: tuple[str, ...]) -> None:
    shown = ok(*path, "--help").out
    assert "Example:" in shown
    assert f"replaylake {' '.join(path)}" in shown.split("Example:")[1]


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_a_verb_takes_the_common_flags(path: tuple[str, ...]) -> None:
    options = {option for parameter in VERBS[path].params for option in parameter.opts}
    assert {"--json", "--lake", "--log-level", "--log-format"} <= options


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_help_is_short_and_to_the_point(path: tuple[str, ...]) -> None:
    first = VERBS[path].help.splitlines()[0]
    assert first.endswith((".", ":")) or len(first) < 110


def test_the_fixed_verbs_are_there() -> None:
    fixed = [
        "archive create",
        "archive list",
        "archive show",
        "publish",
        "ingest",
        "query",
        "snapshot create",
    ]
    fixed += ["snapshot list", "snapshot show", "train", "evaluate", "algorithms", "config"]
    assert set(fixed) <= {" ".join(path) for path in VERBS}


def test_there_is_a_flag_for_every_setting() -> None:
    # What is on a command line, everybody on the machine can read.
    secret = {"lake_options", "stream_options"}
    assert set(verbs.FLAGS) == set(Settings.model_fields) - secret


def test_version() -> None:
    assert ok("--version").out.startswith("replaylake 0.")


@pytest.mark.parametrize("words", [(), ("archive",), ("snapshot",)], ids=str)
def test_a_missing_verb_shows_the_help_and_is_a_wrong_use(words: tuple[str, ...]) -> None:
    outcome = call(*words)
    assert (outcome.code, outcome.err) == (2, "")
    assert "Usage: replaylake" in outcome.out


def test_brackets_in_help_are_no_markup() -> None:
    assert "shape: [4]" in ok("archive", "create", "--help").out
    assert "[128, 128]" in ok("train", "--help").out
