"""`replaylake ingest`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ingest import Intake
from replaylake import Lake
from replaylake.cli.signals import stopped_by_signals
from tests.cli.command import call, ndjson, ok, steps


@pytest.mark.parametrize("words", [(), ("--once", "--follow")], ids=str)
def test_exactly_one_of_once_and_follow(words: tuple[str, ...]) -> None:
    outcome = call("ingest", *words)
    assert outcome.code == 2 and "--once" in outcome.err and "--follow" in outcome.err


def test_nothing_to_ingest_into(folder: Path) -> None:
    outcome = call("ingest", "--once")
    assert outcome.code == 2 and "archive create" in outcome.err


def test_an_unknown_archive(lake: Path) -> None:
    outcome = call("ingest", "cartpol", "--once")
    assert outcome.code == 2 and "Did you mean 'cartpole'?" in outcome.err


def test_an_empty_stream(lake: Path) -> None:
    done = ok("ingest", "--once", "--json").document
    assert (done["accepted"], done["quarantined"], done["reasons"], done["duplicates"]) == (0, 0, {}, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_commits_what_is_held(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Lake("lake").create("cartpole", env="CartPole-v1")
    ok("publish", "cartpole", "-", "--partitions", "1", stdin=ndjson(*steps(3)))
    take = Intake.take

    def take_and_be_stopped(self: Intake, messages: Any) -> None:
        take(self, messages)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(Intake, "take", take_and_be_stopped)
    handlers = [signal.getsignal(known) for known in (signal.SIGTERM, signal.SIGINT)]
    outcome = ok("ingest", "--follow", "--flush-seconds", "3600", "--json")
    assert outcome.document["accepted"] == 30
    assert [signal.getsignal(known) for known in (signal.SIGTERM, signal.SIGINT)] == handlers
    assert ok("query", "select count(*) n from cartpole.steps", "--json").document == [{"n": 30}]


def test_a_second_signal_ends_at_once() -> None:
    with stopped_by_signals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_commits_are_logged(folder: Path) -> None:
    Lake("lake").create("cartpole", env="CartPole-v1")
    ok("publish", "cartpole", "-", stdin=ndjson(*steps(1)))
    logged = ok("ingest", "--once", "--log-level", "info", "--log-format", "json").err
    assert '"message": "landed"' in logged and '"accepted": 10' in logged
