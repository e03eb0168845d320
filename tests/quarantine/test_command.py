"""`replaylake quarantine` and `replaylake archive suite`, from the fault to the fix."""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import EmbeddedStream
from lake import Lake
from schemas.wire import refused_headers
from tests.cli.command import call, ndjson, ok
from tests.ingest.samples import NO_REWARD_OVER, SPEC, step
from tests.quarantine.samples import LENIENT

MAPPING = """
columns:
  episode_id: user
  step: n
  observation: {vector: [x, y]}
  action: {const: 1}
  reward: paid
  terminated: {const: false}
  truncated: {const: false}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder with an archive and two suites, and no setting from outside."""
    for name in [name for name in os.environ if name.startswith("REPLAYLAKE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strict.json").write_text(json.dumps(NO_REWARD_OVER))
    (tmp_path / "lenient.json").write_text(json.dumps(LENIENT))
    Lake(tmp_path / "lake").create("demo", spec=SPEC, suite=NO_REWARD_OVER)
    yield tmp_path
    logger = logging.getLogger("replaylake")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def send(*values: bytes, refused: bytes = b"") -> None:
    """Publish messages to one partition and ingest them."""
    lake = Lake("lake")
    with EmbeddedStream(lake.folder / ".stream") as stream:
        stream.create_topic(SPEC.topic, 1)
        producer = stream.producer()
        for value in values:
            producer.send(SPEC.topic, value, partition=0)
        if refused:
            headers = refused_headers("mapping(reward)\x1b[31m", "paid is\x1b]0;gone\x07 'x'")
            producer.send(SPEC.topic, refused, headers=headers, partition=0)
        producer.close()
    ok("ingest", "demo", "--once")


def test_from_the_fault_to_the_fix() -> None:
    send(ndjson(step(1), step(99, source="arm"), step(98)), b"\x00\x1b[2Jgarbage")
    listed = ok("quarantine", "list", "demo", "--json").document
    assert listed["rows"] == 3
    assert [(one["reason"], one["rows"], one["sources"]) for one in listed["reasons"]] == [
        ("between(reward)", 2, ["arm", "default"]),
        ("undecodable", 1, []),
    ]
    assert listed["reasons"][0]["example_id"] == f"{SPEC.topic}/0/0/1"
    shown = ok("quarantine", "list", "demo")
    assert "reward is 99.0, not at most 50.0" in shown.out
    assert "3 rows in all" in shown.err and "quarantine show demo --reason 'between(reward)'" in shown.err

    assert ok("quarantine", "replay", "demo", "--json").document["landed"] == 0
    suite = ok("archive", "suite", "demo", "lenient.json")
    assert "demo is judged by lenient (0 rules)" in suite.out
    assert "A worker that runs takes it within about a second" in suite.err
    dry = ok("quarantine", "replay", "demo", "--dry-run")
    assert "would land" in dry.out and "Nothing has landed" in dry.err
    assert ok("archive", "show", "demo", "--json").document["quarantined"] == 3

    done = ok("quarantine", "replay", "demo", "--reason", "between", "--json").document
    assert (done["chosen"], done["landed"], done["failed"]) == (2, 2, 0)
    assert ok("quarantine", "replay", "demo", "--json").document["reasons"] == {"undecodable": 1}
    assert ok("quarantine", "list", "demo", "--json").document["rows"] == 1
    assert ok("quarantine", "list", "demo", "--all", "--json").document["rows"] == 3
    counted = "select count(*) as n from demo.steps where stream_row = 1 and reward = 99"
    assert ok("query", counted, "--json").document == [{"n": 1}]


def test_show_lets_no_sign_of_the_bytes_reach_the_terminal() -> None:
    garbage = b"\x00\x1b[2Jgarbage\n\xff\x9b31m"
    send(garbage, refused=b'{"x": "\x1b[1m"}')
    for words in (("show", "demo"), ("list", "demo"), ("replay", "demo")):
        seen = ok("quarantine", *words)
        assert all(sign.isprintable() or sign == "\n" for sign in seen.out + seen.err)
    shown = ok("quarantine", "show", "demo").out
    assert r"\x00\x1b[2Jgarbage" in shown and r"\xff" in shown
    assert r"mapping(reward)\x1b[31m" in shown
    rows = ok("quarantine", "show", "demo", "--json").document
    assert base64.b64decode(rows[0]["row"]["raw"]) == garbage


def test_show_finds_rows_by_their_ids_and_says_how_many_there_are() -> None:
    send(ndjson(*(step(60 + number) for number in range(4))))
    wanted = f"{SPEC.topic}/0/0/2"
    rows = ok("quarantine", "show", "demo", wanted, "--json").document
    assert [(one["id"], one["row"]["reward"]) for one in rows] == [(wanted, 62.0)]
    some = ok("quarantine", "show", "demo", "--limit", "2")
    assert "Shown: 2 of 4 rows" in some.err
    assert some.out.count("between(reward)") == 2
    assert "No such row" in ok("quarantine", "show", "demo", "--where", "reward < 0").out
    send(b"x" * 5000)
    assert "and 1,000 more bytes" in ok("quarantine", "show", "demo", "--reason", "undecodable").out


def test_a_mended_mapping_lands_what_an_earlier_one_refused(folder: Path) -> None:
    (folder / "mended.yaml").write_text(MAPPING)
    send(refused=b'{"user": "u", "n": 3, "x": 1, "y": 2, "paid": 0.5}')
    done = ok("quarantine", "replay", "demo", "--mapping", "mended.yaml", "--json").document
    assert (done["landed"], done["failed"]) == (1, 0)
    found = ok("query", "select episode_id, step, observation, reward from demo.steps", "--json").document
    assert found == [{"episode_id": "u", "step": 3, "observation": [1.0, 2.0], "reward": 0.5}]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "nope"), "no archive 'nope'"),
        (("list", "demo", "--since", "monday"), "--since"),
        (("list", "demo", "--where", "reward >"), "does not work"),
        (("show", "demo", "x/y"), "topic/partition/offset/row"),
        (("show", "demo", "--limit", "0"), "--limit"),
        (("replay", "demo", "--limit", "0"), "--limit"),
        (("replay", "demo", "--mapping", "nowhere.yaml"), "nowhere.yaml"),
        (("replay", "demo", "--mapping", "timeline.yaml"), "holds single records"),
    ],
)
def test_a_wrong_use_is_told_in_a_line(folder: Path, words: tuple[str, ...], said: str) -> None:
    (folder / "timeline.yaml").write_text(
        "columns: {user: {field: u, type: string}, event_time: t, observation: {vector: [x, y]}, action: a}\n"
        "timeline: {session: [user]}\n"
    )
    outcome = call("quarantine", *words)
    assert (outcome.code, "Traceback" in outcome.err) == (2, False)
    assert said in outcome.err


def test_a_suite_that_does_not_fit_is_not_stored(folder: Path) -> None:
    rule = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "nothing", "max_value": 1}}
    (folder / "wrong.json").write_text(json.dumps({"name": "wrong", "expectations": [rule]}))
    assert call("archive", "suite", "demo", "wrong.json").code == 2
    assert call("archive", "suite", "demo", "nowhere.json").code == 2
    assert ok("archive", "show", "demo", "--json").document["suite"]["name"] == NO_REWARD_OVER["name"]
