"""`replaylake snapshot`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import call, ok


def test_create_prints_the_id_alone(lake: Path) -> None:
    outcome = ok("snapshot", "create", "cartpole", "--where", "step < 5")
    assert outcome.out.startswith("cartpole-") and outcome.out.count("\n") == 1
    snapshot = outcome.out.strip()
    assert outcome.err == f"Next: replaylake train --snapshot {snapshot} --algorithm cql\n"
    document = ok("snapshot", "create", "cartpole", "--where", "step < 5", "--json").document
    assert (document["id"], document["rows"], document["where"]) == (snapshot, 100, "step < 5")
    shown = ok("snapshot", "show", snapshot)
    assert snapshot in shown.out and "step < 5" in shown.out
    assert ok("snapshot", "show", snapshot, "--json").document == document
    assert document in ok("snapshot", "list", "--json").document
    assert snapshot in ok("snapshot", "list").out


def test_episodes_names_and_columns(lake: Path) -> None:
    words = (
        "--episodes",
        "length >= 10 and return > 0",
        "--any-step",
        "step = 9",
        "--all-steps",
        "reward > 0",
    )
    names = ("--columns", "reward, action", "--name", "few")
    outcome = ok("snapshot", "create", "cartpole", *words, *names, "--json")
    document = outcome.document
    assert document["names"] == ["few"] and document["episodes"] == 20
    assert document["columns"][-2:] == ["action", "reward"]
    assert ok("snapshot", "show", "few", "--json").document == document
    shown = ok("snapshot", "show", "few").out
    for said in ("length >= 10 and return > 0", "step = 9", "reward > 0", "few", "20"):
        assert said in shown
    assert "episodes: length >= 10" in ok("snapshot", "list").out

    other = ok("snapshot", "create", "cartpole", "--where", "step < 3").out.strip()
    taken = call("snapshot", "create", "cartpole", "--where", "step < 3", "--name", "few")
    assert taken.code == 2 and f"{document['id']} has it" in taken.err
    ok("snapshot", "name", other, "few", "--move")
    assert ok("snapshot", "show", "few", "--json").document["id"] == other
    assert ok("snapshot", "unname", "few", "--json").document == {"name": "few", "snapshot": other}
    assert "few" not in ok("snapshot", "list").out


def test_split_and_diff(lake: Path) -> None:
    whole = ok("snapshot", "create", "cartpole").out.strip()
    words = ("snapshot", "split", whole, "--train", "0.5", "--validation", "0", "--test", "0.5")
    parts = ok(*words, "--json").document
    assert list(parts) == ["train", "test"]
    assert parts["train"]["rows"] + parts["test"]["rows"] == 200
    outcome = ok(*words)
    assert all(part["id"] in outcome.out for part in parts.values())
    assert outcome.err == f"Next: replaylake train --snapshot {parts['train']['id']} --algorithm cql\n"
    assert f"train, 0.5 of {whole}, seed 0" in ok("snapshot", "show", parts["train"]["id"]).out

    document = ok("snapshot", "diff", whole, parts["train"]["id"], "--json").document
    assert document["rows"] == {"only_a": parts["test"]["rows"], "only_b": 0, "both": parts["train"]["rows"]}
    assert document["episodes"]["only_a"] == parts["test"]["episodes"]
    assert not document["same"] and list(document["choices"]) == ["part"]
    shown = ok("snapshot", "diff", whole, parts["train"]["id"]).out
    assert "The snapshots differ." in shown and "return in B" in shown and "part" in shown
    assert "The rows of both are the same." in ok("snapshot", "diff", whole, whole).out


def test_pin_and_delete(lake: Path) -> None:
    made = ok(
        "snapshot", "create", "cartpole", "--where", "step = 7 -- [bold]", "--name", "seven"
    ).out.strip()
    ok("snapshot", "pin", "seven", "--by", "model/[red]x", "--note", "learned\x1b[2Jfrom it")
    shown = ok("snapshot", "show", "seven").out
    assert "model/[red]x" in shown and "learned\\x1b[2Jfrom it" in shown and "step = 7 -- [bold]" in shown
    assert "step = 7 -- [bold]" in ok("snapshot", "list").out
    refused = call("snapshot", "delete", "seven")
    assert refused.code == 2 and "pinned by model/[red]x" in refused.err
    document = ok("snapshot", "unpin", "seven", "--by", "model/[red]x", "--json").document
    assert document["pins"] == []
    assert ok("snapshot", "delete", "seven").out == f"Deleted the snapshot {made}, which was named seven.\n"
    assert call("snapshot", "show", made).code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "cartpole", "--name", "../x"), "cannot be named '../x'"),
        (("create", "cartpole", "--move"), "--move moves a name"),
        (("create", "cartpole", "--episodes", "lenght > 5"), '"lenght"'),
        (("create", "cartpole", "--columns", "reward,no"), "no column 'no'"),
        (("split", "cartpole-x"), "There is no snapshot"),
        (("diff", "cartpole-x", "cartpole-y"), "There is no snapshot"),
        (("unname", "nobody"), "There is no name 'nobody'"),
        (("create", "cartpole", "--where", "reward > 5"), "snapshot of nothing"),
        (("create", "cartpole", "--where", "rewar > 5"), '"rewar"'),
        (("create", "cartpole", "--where", "true order by 1"), "'true order by 1'"),
        (("create", "cartpol"), "Did you mean 'cartpole'?"),
        (("show", "cartpole-x"), "There is no snapshot 'cartpole-x'"),
    ],
    ids=str,
)
def test_wrong_use(words: tuple[str, ...], said: str, lake: Path) -> None:
    outcome = call("snapshot", *words)
    assert outcome.code == 2 and outcome.out == ""
    assert said in outcome.err
