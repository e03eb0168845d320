"""`replaylake train`, `evaluate` and `algorithms`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import call, ok

SMALL = ("updates=20", "hidden=[8]", "members=1", "learning_rate=1e-3")


@pytest.fixture
def snapshot(lake: Path) -> str:
    return ok("snapshot", "create", "cartpole").out.strip()


def test_train_and_evaluate(snapshot: str, folder: Path) -> None:
    outcome = ok("train", "--snapshot", snapshot, "--algorithm", "bc", *SMALL, "--device", "cpu")
    policy = f"policies/{snapshot}-bc-seed0"
    assert (folder / policy / "policy.json").is_file()
    assert policy in outcome.out and "200 steps" in outcome.out
    assert outcome.err == f"Next: replaylake evaluate {policy} --env CartPole-v1\n"
    played = ok("evaluate", policy, "--env", "CartPole-v1", "--episodes", "3", "--seed", "1")
    document = ok(
        "evaluate", policy, "--env", "CartPole-v1", "--episodes", "3", "--seed", "1", "--json"
    ).document
    assert f"{document['mean']:,.1f}" in played.out and "95% interval" in played.out
    assert (document["policy"], document["episodes"]) == (policy, 3)
    again = call("train", "--snapshot", snapshot, "--algorithm", "bc", *SMALL)
    assert again.code == 2 and "--output" in again.err


def test_train_for_machines(snapshot: str) -> None:
    words = ("--snapshot", snapshot, "--algorithm", "cql", "--seed", "3", "--output", "mine", "alpha=0.5")
    document = ok("train", *words, *SMALL, "--json").document
    assert (document["policy"], document["seed"], document["snapshot"]) == ("mine", 3, snapshot)
    assert document["config"]["alpha"] == 0.5 and document["config"]["learning_rate"] == 0.001
    assert document["config"]["hidden"] == [8]
    assert set(document["metrics"]) >= {"loss"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--algorithm", "cq"), 2, "Did you mean 'cql'?"),
        (("alph=1",), 2, "Did you mean 'alpha'?"),
        (("alpha=many",), 2, "'many'"),
        (("alpha",), 2, "'alpha' is not name=value"),
        (("alpha=1", "alpha=2"), 2, "given twice"),
        (("seed=3",), 2, "--seed 3"),
        (("on_progress=3",), 2, "on_progress"),
        (("--seed", "-1"), 2, "-1"),
        (("--seed", "x"), 2, "given: 'x'"),
        (("--device", "abacus"), 2, "'abacus'"),
        (("--output", "file/policy"), 1, "file/policy"),
        (("--output", "file"), 2, "exists already"),
        (("reward_scale=1e6", "learning_rate=1", "huber_delta=1e6", "updates=200"), None, ""),
    ],
    ids=str,
)
def test_wrong_use_of_train(
    words: tuple[str, ...], code: int | None, said: str, snapshot: str, folder: Path
) -> None:
    (folder / "file").touch()
    outcome = call("train", "--snapshot", snapshot, "hidden=[8]", "members=1", *words)
    assert outcome.code in ((0, 1) if code is None else (code,)), outcome.err
    assert said in outcome.err and "Traceback" not in outcome.err
    assert code is None or [entry.name for entry in folder.iterdir()] == ["file"]


def test_an_unknown_snapshot(lake: Path) -> None:
    outcome = call("train", "--snapshot", "cartpole-x")
    assert outcome.code == 2 and "snapshot create" in outcome.err


@pytest.mark.parametrize("words", [("gone", "--env", "CartPole-v1"), (".", "--env", "CartPole-v1")], ids=str)
def test_no_policy(words: tuple[str, ...]) -> None:
    outcome = call("evaluate", *words)
    assert outcome.code == 2 and repr(words[0]) in outcome.err


def test_algorithms() -> None:
    shown = ok("algorithms").out
    assert "cql  Conservative Q-learning" in shown
    found = {entry["name"]: entry for entry in ok("algorithms", "--json").document}
    settings = {setting["name"]: setting for setting in found["dqn"]["settings"]}
    assert settings["alpha"]["default"] == 0.0 and "regulariser" in settings["alpha"]["description"]
    assert {setting["name"] for setting in found["bc"]["settings"]} < set(settings)
