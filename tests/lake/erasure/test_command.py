"""`replaylake maintain retain | erase | erasures`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake import Lake
from lake.snapshots import pin
from replaylake.cli import maintain_erase
from tests.cli.command import call, ok
from tests.lake.archives import append, make, row
from tests.lake.erasure.lakes import AGED, WHO, agents, fill, theirs
from tests.lake.kills import Killed, killed_before


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """Work in a folder with a lake, and no setting from outside."""
    for name in [name for name in os.environ if name.startswith("REPLAYLAKE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    made, archive = make(tmp_path, AGED)
    fill(archive)
    yield made
    logger = logging.getLogger("replaylake")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def test_old_rows_move(lake: Lake) -> None:
    append(lake.archive("demo"), row(9, episode_id="new", event_time=datetime.now(UTC)))
    lake.create("plain", spec=AGED.model_copy(update={"name": "plain", "hot_days": None}))
    (said,) = ok("maintain", "retain", "demo", "--dry-run", "--json").document
    (done,) = ok("maintain", "retain", "--all", "--json").document
    assert (said["moved_rows"], said["dry_run"]) == (done["moved_rows"], True) == (10, True)
    assert agents(lake) == {(WHO, 5), ("other", 5), ("default", 1)}
    assert "maintain vacuum demo" in ok("maintain", "retain", "demo").err
    refused = call("maintain", "retain", "plain")
    assert refused.code == 2 and "sets no retention" in refused.err
    assert call("maintain", "retain").code == 2


def test_what_is_touched_is_told_before_and_kept_after(lake: Lake) -> None:
    snapshot = pin(lake.archive("demo").snapshot(f"agent_id = '{WHO}' or reward > 3"), "model/best")
    asked = ("maintain", "erase", "demo", "--agent", WHO, "--reason", "request 7")
    said = ok(*asked, "--dry-run", "--json").document
    assert said["touched"]["rows"] == {"steps": 5, "quarantine": 0}
    assert said["touched"]["snapshots"] == [{"id": snapshot.id, "rows": 5, "pins": ["model/best"]}]
    assert "model/best" in ok(*asked, "--dry-run").out
    assert agents(lake) == {(WHO, 5), ("other", 5)}
    done = ok(*asked, "--yes", "--json").document
    assert done["touched"] == said["touched"] and done["removed_files"] == 2
    assert any(snapshot.id in what for what in done["remains"])  # its condition names the agent
    assert agents(lake) == {("other", 5)}
    assert ok("maintain", "erasures", "demo", "--json").document == [done]
    assert "request 7" in ok("maintain", "erasures", "demo").out


def test_nobody_erases_unasked(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("maintain", "erase", "demo", "--where", "reward = 1", "--reason", "wrong")
    refused = call(*asked)
    assert refused.code == 2 and "--yes" in refused.err
    monkeypatch.setattr(maintain_erase, "is_terminal", lambda: True)
    assert call(*asked, stdin="n\n").code == 1
    assert agents(lake) == {(WHO, 5), ("other", 5)}
    outcome = ok(*asked, stdin="y\n")
    assert "What is left" in outcome.out and "Erase this from demo?" in outcome.err
    assert agents(lake) == {(WHO, 4), ("other", 4)}


@pytest.mark.parametrize(
    "words",
    [
        ("--agent", WHO),
        ("--reason", "x"),
        ("--agent", WHO, "--where", "true", "--reason", "x"),
        ("--where", "true", "--for-good", "--reason", "x"),
        ("--resume", "--agent", WHO),
    ],
)
def test_what_is_not_clear_is_refused(words: tuple[str, ...], lake: Lake) -> None:
    assert call("maintain", "erase", "demo", *words).code == 2
    assert agents(lake) == {(WHO, 5), ("other", 5)}


def test_what_was_cut_short_is_finished(lake: Lake) -> None:
    with killed_before(6), pytest.raises(Killed):
        call("maintain", "erase", "demo", "--agent", WHO, "--reason", "x", "--yes")
    (cut,) = ok("maintain", "erasures", "demo", "--json").document
    assert cut["finished_at"] is None
    (done,) = ok("maintain", "erase", "demo", "--resume", "--json").document
    assert done["finished_at"] and agents(lake) == {("other", 5)}
    append(lake.archive("demo"), theirs(3, event_time=datetime.now(UTC) - timedelta(days=1)))
    assert agents(lake) == {("other", 5)}
    assert json.loads(ok("maintain", "erase", "demo", "--resume", "--json").out) == []
