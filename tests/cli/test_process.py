"""The command as a process: its entry point, its start, signals and pipes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import replaylake
from tests.cli.command import ndjson, ok, steps

COMMAND = Path(sys.executable).with_name("replaylake")
HEAVY = ("deltalake", "duckdb", "gymnasium", "ingest", "lake", "pandas", "polars", "pyarrow", "ray", "torch")


def test_the_entry_point() -> None:
    done = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("replaylake ")
    wrong = subprocess.run([COMMAND, "archive", "show", "x"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2 and wrong.stderr.startswith("error: There is no lake")


def test_a_query_that_its_engine_does_not_stop_is_left_with_one_message(folder: Path) -> None:
    ok("archive", "create", "demo", "--env", "CartPole-v1")
    long = "levenshtein(repeat('x', 60000), repeat('y', 60000))"
    query = f"select list_sum(list_transform(range(10000), lambda x: {long} + x))"
    left = subprocess.run(
        [COMMAND, "query", "--timeout", "0.2", query], capture_output=True, text=True, check=False, timeout=60
    )
    assert (left.returncode, left.stdout) == (2, "")
    said, hint = left.stderr.splitlines()
    assert said == "error: The query took longer than it may, and was stopped."
    assert "--timeout" in hint


@pytest.mark.parametrize("words", [["--help"], ["config"], ["ingest", "--help"]], ids=str)
def test_it_starts_without_what_is_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom replaylake.cli import main\n"
        f"sys.argv = ['replaylake', *{words!r}]\n"
        "try:\n    main()\nexcept SystemExit as exit:\n    assert not exit.code\n"
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == []


def test_the_door_finds_every_name_when_it_is_asked_for() -> None:
    code = (
        "import sys, replaylake\nassert 'lake' not in sys.modules\n"
        "from replaylake import *\n"
        "assert all(name in globals() for name in replaylake.__all__)\n"
        "assert set(replaylake.__all__) <= set(dir(replaylake))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert list(replaylake.__all__) == sorted(replaylake.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        replaylake.Nothing  # type: ignore[attr-defined]  # noqa: B018


def test_sigterm_ends_a_worker_that_follows(folder: Path) -> None:
    ok("archive", "create", "cartpole", "--env", "CartPole-v1")
    ok("publish", "cartpole", "-", stdin=ndjson(*steps(5)))
    words = [
        "ingest",
        "--follow",
        "--flush-seconds",
        "0.1",
        "--json",
        "--log-level",
        "info",
        "--log-format",
        "json",
    ]
    with subprocess.Popen(
        [COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stderr is not None and worker.stdout is not None
        landed = (json.loads(line) for line in worker.stderr)
        assert any(entry["message"] == "landed" and entry["accepted"] == 50 for entry in landed)
        worker.send_signal(signal.SIGTERM)
        assert json.loads(worker.stdout.read())["accepted"] == 50
        assert worker.wait(60) == 0
    assert ok("query", "select count(*) n from cartpole.steps", "--json").document == [{"n": 50}]


def test_a_reader_that_has_enough_is_no_failure(lake: Path) -> None:
    sql = "select range as n from range(300000)"
    words: list[str | Path] = [COMMAND, "query", sql, "--format", "csv"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"n\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_progress_is_shown_on_a_terminal(folder: Path) -> None:
    ok("archive", "create", "cartpole", "--env", "CartPole-v1")
    (folder / "steps.ndjson").write_bytes(ndjson(*steps(300)))
    control, terminal = pty.openpty()
    words: list[str | Path] = [COMMAND, "publish", "cartpole", "steps.ndjson", "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=terminal, check=True)
    os.close(terminal)
    assert b"Publishing" in _until(control, b"Publishing")
    os.close(control)
    assert json.loads(done.stdout)["records"] == 3000


def test_ctrl_c_ends_a_wait_for_input_without_a_word(folder: Path) -> None:
    ok("archive", "create", "cartpole", "--env", "CartPole-v1")
    control, terminal = pty.openpty()
    words: list[str | Path] = [COMMAND, "publish", "cartpole", "-"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=terminal) as process:
        os.close(terminal)
        _until(control, b"Publishing")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stdout is not None and process.stdout.read() == b""
    os.close(control)


def _until(control: int, wanted: bytes) -> bytes:
    """Read what a terminal shows until it shows that."""
    shown = b""
    while wanted not in shown:
        shown += os.read(control, 65536)
    return shown
