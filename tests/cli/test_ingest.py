"""`replaylake ingest`."""

from __future__ import annotations

import os
import signal
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from ingest import IngestReport, Intake
from ingest.worker.metrics import IngestMetrics
from replaylake import Lake, ingest_follow
from replaylake.cli.signals import stopped_by_signals
from tests.cli.command import call, ndjson, ok, step, steps


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


def test_a_fresh_archive_ingests_what_an_older_one_has_from_a_place_on(folder: Path) -> None:
    for name in ("cartpole", "fresh"):
        Lake("lake").create(name, env="CartPole-v1")
    for number in range(4):
        ok("publish", "cartpole", "-", "--partitions", "1", stdin=ndjson(step(0, number)))
    ok("publish", "cartpole", "-", "--partitions", "1", stdin=ndjson({"broken": 1}))
    ok("ingest", "cartpole", "--once")
    again = ("ingest", "fresh", "--once", "--topic", "replaylake.cartpole")
    assert ok(*again, "--from", "2", "--json").document["accepted"] == 2
    refused = call(*again, "--from", "0")
    assert refused.code == 2 and "has begun already" in refused.err and "archive create" in refused.err
    assert ok(*again, "--json").document["accepted"] == 0
    rows = ok("query", "select step from fresh.steps order by step", "--json").document
    assert rows == [{"step": 2}, {"step": 3}]
    origin = ok("query", "select stream_topic, stream_offset from fresh.quarantine", "--json").document
    assert origin == [{"stream_topic": "replaylake.cartpole", "stream_offset": 4}]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("cartpole", "--from", "yesterday"), "an offset or a time"),
        (("cartpole", "--from", "2026-03-01T00:00:00"), "with its zone"),
        (("--from", "3"), "one archive"),
        (("cartpole", "--topic", "nowhere"), "no topic 'nowhere'"),
        (("cartpole", "--metrics-port", "70000"), "metrics_port"),
    ],
)
def test_a_wrong_place_to_begin(words: tuple[str, ...], says: str, folder: Path) -> None:
    for name in ("cartpole", "other"):
        Lake("lake").create(name, env="CartPole-v1")
    outcome = call("ingest", "--once", *words)
    assert outcome.code == 2 and says in outcome.err


def test_metrics_are_served_while_a_worker_runs(folder: Path) -> None:
    Lake("lake").create("cartpole", env="CartPole-v1")
    ok("publish", "cartpole", "-", "--partitions", "1", stdin=ndjson(*steps(3), {"broken": 1}))
    metrics = IngestMetrics()
    seen: list[str] = []
    stop = threading.Event()
    with metrics.serve(0) as port:

        def look(done: IngestReport) -> None:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                seen.append(answer.read().decode())
            stop.set()

        ingest_follow(Lake("lake"), stop=stop, on_progress=look, metrics=metrics)
    text = seen[0]
    assert 'replaylake_rows_total{archive="cartpole",outcome="accepted"} 30.0' in text
    assert 'replaylake_rows_total{archive="cartpole",outcome="quarantined"} 1.0' in text
    assert 'replaylake_lag_messages{archive="cartpole",partition="0",topic="replaylake.cartpole"} 0.0' in text
    assert "replaylake_stream_up 1.0" in text
    assert 'replaylake_flush_seconds_count{archive="cartpole"} 1.0' in text
