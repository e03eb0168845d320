"""The prompt of `replaylake query`, by the library's pipe and on a real terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from lake import Lake, QueryLimits
from replaylake.cli.query_prompt import QueryPrompt, open_history
from replaylake.cli.query_words import QueryCompleter
from replaylake.cli.run import Run
from tests.cli.command import call, ok

ENDLESS = (
    b"select count(*) from range(1000000000) a, range(1000000000) b "
    b"where a.range % 7 <> b.range % 3 and a.range = -b.range;\r"
)


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
    out = capsys.readouterr().out
    assert out.count(".format FORM") == 2
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
    assert "The query is nothing" in call("query", stdin="").err


def test_a_query_on_a_terminal_is_stopped_and_the_next_answered(lake: Path) -> None:
    """Ctrl-C reaches the engine; what follows is answered."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "replaylake", "query", "--lake", str(lake)]
    environment = {**os.environ, "TERM": "dumb", "PROMPT_TOOLKIT_NO_CPR": "1"}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    try:
        _until(ours, "replaylake> ")
        os.write(ours, b"select 'begun' as b;\r")
        _until(ours, "begun", times=2)
        os.write(ours, ENDLESS)
        _until(ours, "-b.range")
        time.sleep(0.5)  # so that it runs; were it not to run yet, Ctrl-C would clear the line
        process.send_signal(signal.SIGINT)
        _until(ours, "Stopped.")
        os.write(ours, b"select 6 * 7 as n;\r")
        _until(ours, "42")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _until(terminal: int, wanted: str, times: int = 1) -> None:
    shown = ""
    deadline = time.monotonic() + 60
    while shown.count(wanted) < times:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, shown
        shown += os.read(terminal, 4096).decode(errors="replace")
