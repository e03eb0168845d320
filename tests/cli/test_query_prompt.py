"""The prompt of `replaylake query`, by the library's pipe and on a real terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from lake import Lake, QueryLimits, QueryNames
from replaylake.cli.query_prompt import QueryPrompt, open_history
from replaylake.cli.query_words import QueryCompleter
from replaylake.cli.run import Run
from tests.cli.command import call, ok

ENDLESS = (
    b"select count(*) from range(1000000000) a, range(1000000000) b "
    b"where a.range % 7 <> b.range % 3 and a.range = -b.range;\r"
)

CTRL_C, CTRL_D = b"\x03", b"\x04"
# The process makes the terminal its own: only then keys come as signals.
CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def state(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    return folder / "state" / "replaylake" / "query-history"


def typed(keys: str) -> None:
    with create_pipe_input() as keyboard:
        keyboard.send_text(keys)
        run = Run({}, as_json=False)
        QueryPrompt(run, {}, QueryLimits(), "table", input=keyboard, output=DummyOutput()).ask()


def test_a_query_is_answered_over_lines(lake: Path, capsys: pytest.CaptureFixture[str], state: Path) -> None:
    typed("select count(*) as n\nfrom cartpole.steps;\n\x04")
    assert "200" in capsys.readouterr().out
    assert "from cartpole.steps;" in state.read_text()
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_an_error_does_not_end_it(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed("selec 1;\nselect * from cartpol.steps;\nselect 41 + 1 as n;\n.exit\n")
    shown = capsys.readouterr()
    assert "syntax error" in shown.err and "Did you mean 'cartpole'?" in shown.err
    assert "42" in shown.out


def test_the_commands(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed(".help\n.tables\n.schema cartpole.steps\n.format json\nselect 1 as a;\n.nothing\n\x04")
    shown = capsys.readouterr()
    out = shown.out
    assert out.count(".format FORM") == 1 and "There is no command '.nothing'." in shown.err
    assert "empty" not in out
    assert "transitions" in out and "FLOAT[]" in out and '{"a":1}' in out


def test_a_line_is_cleared(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed("select nonsense\x03select 7 as n;\n\x04")
    shown = capsys.readouterr()
    assert "7" in shown.out and "nonsense" not in shown.err


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("select rew", "reward"),
        ("select * from cart", "cartpole"),
        ("select * from cartpole.tr", "cartpole.transitions"),
        ("select * from cartpole.n", "cartpole.n_step"),
        ("select discounted", "discounted_return"),
        ("sel", "select"),
        (".sch", ".schema"),
    ],
)
def test_completion(lake: Path, text: str, word: str) -> None:
    completer = QueryCompleter(Lake(lake).query_names())
    found = [held.text for held in completer.get_completions(Document(text), CompleteEvent())]
    assert word in found


def test_history_is_done_without(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "file"))
    assert type(open_history()).__name__ == "InMemoryHistory"


def test_sql_comes_by_a_pipe(lake: Path) -> None:
    assert ok("query", "--format", "csv", stdin="select count(*) as n\nfrom cartpole.steps").out == "n\n200\n"
    assert "One SELECT is expected, and there is none." in call("query", stdin="").err
    refused = call("query", stdin=".tables\n")
    assert refused.code == 2 and ".tables is no SQL: commands with a dot belong to the prompt." in refused.err


@pytest.fixture
def terminal(lake: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run the prompt on a terminal of its own, whose keys are signals as a person's are."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "replaylake", "query", "--lake", str(lake)]
    environment = {**os.environ, "TERM": "dumb", "PROMPT_TOOLKIT_NO_CPR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", CONTROLLED, *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        _until(ours, "replaylake> ")
        yield ours, process
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_lake_that_breaks_meanwhile_does_not_end_it(
    full_lake: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLAYLAKE_LAKE", str(shutil.copytree(full_lake, folder / "lake")))
    spec = next((folder / "lake").glob("*/archive.json"))
    names = Lake.query_names

    def breaking(opened: Lake) -> QueryNames:
        found = names(opened)
        spec.write_text("{")
        return found

    monkeypatch.setattr(Lake, "query_names", breaking)
    typed("select 1;\nselect 2;\n\x04")
    assert capsys.readouterr().err.count("error:") == 2


def test_a_query_on_a_terminal_is_stopped_and_the_next_answered(
    terminal: tuple[int, subprocess.Popen[bytes]],
) -> None:
    """Ctrl-C reaches the engine; what follows is answered, and Ctrl-D leaves."""
    keyboard, process = terminal
    os.write(keyboard, b"select 'begun' as b;\r")
    _until(keyboard, "begun", "begun", "replaylake> ")
    os.write(keyboard, ENDLESS)
    _until(keyboard, "-b.range")
    _until_busy(process)  # were the query not to run yet, Ctrl-C would clear the line
    os.write(keyboard, CTRL_C)
    _until(keyboard, "Stopped.", "replaylake> ")
    os.write(keyboard, b"select 6 * 7 as n;\r")
    _until(keyboard, "42", "replaylake> ")
    assert _left(keyboard, process) == 0


def test_a_terminal_is_left_after_a_line_was_cleared(
    terminal: tuple[int, subprocess.Popen[bytes]],
) -> None:
    keyboard, process = terminal
    os.write(keyboard, b"select nonsense")
    _until(keyboard, "nonsense")
    os.write(keyboard, CTRL_C)
    _until(keyboard, "replaylake> ")
    assert _left(keyboard, process) == 0


def _until_busy(process: subprocess.Popen[bytes]) -> None:
    """Wait until the engine takes more of the processor than a prompt does."""
    seen = psutil.Process(process.pid)
    before = sum(seen.cpu_times()[:2])
    deadline = time.monotonic() + 60
    while sum(seen.cpu_times()[:2]) < before + 0.5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


def _left(keyboard: int, process: subprocess.Popen[bytes]) -> int:
    """Press Ctrl-D until the process ends: a dumb terminal shows the prompt before it reads single keys."""
    for _ in range(100):
        os.write(keyboard, CTRL_D)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=0.3)
    raise AssertionError("Ctrl-D does not leave.")


def _until(terminal: int, *wanted: str) -> None:
    """Read until all of these came, one after another."""
    shown = ""
    deadline = time.monotonic() + 30
    for text in wanted:
        while text not in shown:
            ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
            assert ready, shown
            shown += os.read(terminal, 4096).decode(errors="replace")
        shown = shown.partition(text)[2]
