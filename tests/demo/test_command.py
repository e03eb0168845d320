"""The demo as a command."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from replaylake.flows.demo import story
from replaylake.flows.demo.damage import KINDS
from replaylake.flows.demo.folder import MARKER
from schemas.errors import StorageError
from tests.cli.command import call, ok
from tests.demo.conftest import FULL, IMPOSSIBLE, POSSIBLE, Ran


def test_every_row_is_where_it_belongs(ran: Ran) -> None:
    found = ran.document
    assert (found["ok"], found["faults"], found["seed"]) == (True, [], 5)
    assert [found["played"][name] for name in ("steps", "good", "broken")] == [5000, 4950, 50]
    assert [found["ingested"][name] for name in ("accepted", "quarantined", "duplicates")] == [4950, 50, 0]
    assert found["ingested"]["matched"] and found["snapshot"]["rows"] == 4950


def test_six_kinds_of_damage_have_six_reasons(ran: Ran) -> None:
    damage = ran.document["damage"]
    assert [one["kind"] for one in damage] == list(KINDS)
    assert [one["published"] for one in damage] == [9, 9, 8, 8, 8, 8]
    assert all(one["matched"] and one["example"] for one in damage)
    reasons = {reason: count for one in damage for reason, count in one["reasons"].items()}
    assert len(reasons) == 6
    assert reasons == ran.document["ingested"]["reasons"]


def test_three_questions_are_answered(ran: Ran) -> None:
    per_day, by_angle, by_reason = (query["rows"] for query in ran.document["queries"])
    assert len(per_day) == 7
    assert sum(row["episodes"] for row in per_day) == ran.document["played"]["episodes"]
    assert sum(row["steps"] for row in by_angle) == 4950
    assert all(0 < row["percent_right"] < 100 for row in by_angle)
    assert {row["reason"]: row["rows"] for row in by_reason} == ran.document["ingested"]["reasons"]


def test_three_policies_are_played_as_often(ran: Ran) -> None:
    found = ran.document
    assert list(found["scores"]) == ["cql", "bc", "behaviour"]
    for name, evaluation in found["evaluations"].items():
        assert len(evaluation["returns"]) == 3
        assert evaluation["mean"] == found["scores"][name] == sum(evaluation["returns"]) / 3
    assert found["lead"] == found["scores"]["cql"] - max(found["scores"]["bc"], found["scores"]["behaviour"])
    assert found["learned"]["bc"]["config"]["updates"] == 30
    assert set(found["timings"]) >= {
        "play",
        "publish",
        "ingest",
        "query",
        "train cql",
        "train bc",
        "evaluate",
    }


def test_the_folder_holds_what_the_document_says(ran: Ran) -> None:
    assert sorted(path.name for path in ran.cwd.iterdir()) == ["replaylake-demo"]
    assert {path.name for path in (ran.cwd / "replaylake-demo").iterdir()} == {
        MARKER,
        "lake",
        "policy",
        "report.html",
    }
    assert all((ran.cwd / place).exists() for place in ran.document["paths"].values())


def test_the_saved_policy_is_the_one_that_was_played(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ran.cwd)
    words = ["evaluate", ran.document["paths"]["policy"], "--env", "CartPole-v1", "--seed", "5", "--json"]
    again = ok(*words, "--episodes", "3").document
    assert again["returns"] == ran.document["evaluations"]["cql"]["returns"]


def test_what_to_try_next_works_as_it_stands(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, surroundings: Path
) -> None:
    commands = [shlex.split(command)[1:] for command in ran.document["next"]]
    assert [words[0] for words in commands] == ["query", "query", "train", "evaluate"]
    (surroundings / "replaylake-demo").symlink_to(ran.cwd / "replaylake-demo")
    for words in commands:
        quick = {"train": ["updates=1"], "evaluate": ["--episodes", "1"]}.get(words[0], [])
        assert ok(*words, *quick).out


def test_people_are_told_a_story(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FULL, POSSIBLE)
    outcome = ok("demo", "--folder", "there/demo")
    titles = [line for line in outcome.out.splitlines() if line[:1].isdigit()]
    assert [title[0] for title in titles] == ["1", "2", "3", "4", "5", "6"]
    assert all(kind in outcome.out for kind in KINDS)
    assert "group by reason" in outcome.out and "there/demo/report.html" in outcome.out
    assert max(map(len, outcome.out.splitlines())) < 200


def test_a_policy_that_did_not_learn_is_no_success(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FULL, IMPOSSIBLE)
    outcome = call("demo", "--json")
    assert outcome.code == 1
    assert "The demo's policy did not learn well this time: score" in outcome.err
    assert outcome.document["ok"] is False and len(outcome.document["faults"]) == 1
    assert (surroundings / "replaylake-demo" / "report.html").exists()


def test_a_folder_of_somebody_else_is_refused(surroundings: Path) -> None:
    (surroundings / "mine").mkdir()
    (surroundings / "mine" / "thesis.txt").write_text("all of it")
    outcome = call("demo", "--folder", "mine")
    assert outcome.code == 2
    assert "'mine' is there, and no demo of replaylake made it." in outcome.err
    assert "--folder" in outcome.err
    assert [path.name for path in (surroundings / "mine").iterdir()] == ["thesis.txt"]
    for taken in ("mine/thesis.txt", "mine/thesis.txt/demo"):
        assert call("demo", "--folder", taken).code == 2


def test_an_earlier_demo_is_replaced_when_the_new_one_is_whole(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = surroundings / "demo"
    earlier.mkdir()
    (earlier / MARKER).touch()
    (earlier / "old").touch()
    monkeypatch.setattr(FULL, IMPOSSIBLE)

    def fail(*_: object) -> None:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(story, "write_page", fail)
        assert "The disk is full." in call("demo", "--folder", "demo").err
    assert {path.name for path in earlier.iterdir()} == {MARKER, "old"}
    assert call("demo", "--folder", "demo").code == 1  # it did not learn, and is kept
    assert {path.name for path in earlier.iterdir()} == {MARKER, "lake", "policy", "report.html"}
    assert [path.name for path in surroundings.iterdir()] == ["demo"]


@pytest.mark.parametrize(
    "words", [("--seed", "-1"), ("--lake", "x"), ("--folder", "."), ("--folder", "..")], ids=" ".join
)
def test_a_wrong_use_is_said_at_once(surroundings: Path, words: tuple[str, ...]) -> None:
    outcome = call("demo", *words)
    assert outcome.code == 2 and outcome.err.startswith("error: ")
    assert list(surroundings.iterdir()) == []
