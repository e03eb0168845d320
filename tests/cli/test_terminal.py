"""What the command shows on a terminal of 80 columns, and that a pipe gets all of it."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from replaylake.cli.app import app
from tests.cli.command import ok


class Terminal(io.StringIO):
    """Be looked at by a person."""

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """Return the lines that a terminal of 80 columns shows, without colours."""
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(SystemExit) as left:
        app(list(words))
    monkeypatch.undo()
    assert left.value.code == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()


def test_snapshots_take_a_line_each(folder: Path, full_lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = ("--lake", str(full_lake))
    condition = (
        "step < 9 and reward > 0 and quality_score >= 0.0 and date between '2026-03-01' and '2026-03-09'"
    )
    kept = ok("snapshot", "create", "cartpole", "--where", condition, "--name", "long", *lake).out.strip()
    ok("snapshot", "pin", "long", "--by", "model/a", *lake)
    lines = shown(monkeypatch, "snapshot", "list", *lake)
    assert max(map(len, lines)) <= 80
    (line,) = (line for line in lines if line.startswith(kept))
    assert line.rstrip().endswith("…")
    assert "(pinned) step" in line
    assert condition in ok("snapshot", "list", *lake).out
    assert condition.split(" and date")[0] in " ".join(
        " ".join(shown(monkeypatch, "snapshot", "show", "long", *lake)).split()
    )
    ok("snapshot", "unpin", "long", "--by", "model/a", *lake)
    ok("snapshot", "delete", "long", *lake)


def test_figures_and_names_are_not_broken(full_lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, "archive", "stats", "cartpole", "--lake", str(full_lake))
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if line.startswith("observation[")]
    assert [row[0] for row in rows] == [f"observation[{index}]" for index in range(4)]
    assert all(re.fullmatch(r"-?[\d.]+", figure) for row in rows for figure in row[1:5])
    reasons = shown(monkeypatch, "quarantine", "list", "cartpole", "--lake", str(full_lake))
    assert any(line.startswith("in_space(action) ") for line in reasons)
