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


@pytest.mark.parametrize(
    ("words", "said"),
    [
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
