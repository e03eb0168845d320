"""An erasure may die at any moment: it is not decided, or whoever comes next finishes it."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from lake import Lake
from lake.maintenance.compact import compact_archive
from lake.maintenance.erase import erase, list_erasures, resume_erasures
from lake.maintenance.erasure_plan import Criterion, plan_erasure
from lake.maintenance.retain import retain
from lake.snapshots.log import StateLog
from replaylake.flows.auditing import audit_archive
from tests.lake.archives import DAY, append, make
from tests.lake.erasure.lakes import AGED, BY_AGENT, WHO, agents, fill, found, refuse, theirs
from tests.lake.kills import Killed, killed_before

_EVERY = 9  # of the changes that are made, about 60, so many are passed by each time


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake with somebody in hot and cold files, in a snapshot's older ones, and in quarantine."""
    folder = tmp_path_factory.mktemp("held")
    lake, archive = make(folder, AGED)
    fill(archive)
    refuse(archive)
    archive.snapshot()
    compact_archive(archive)
    audit_archive(lake, "demo")
    retain(archive, today=DAY.date().replace(month=2))
    append(archive, theirs(5), theirs(6))
    return folder


def test_a_kill_before_a_change(held: Path, tmp_path: Path) -> None:
    # The copies have the lake's id and its files, so one plan is right for all of them.
    plan = plan_erasure(Lake(held / "lake").archive("demo"), Criterion(agent=WHO), "asked for")
    for change in itertools.count(step=_EVERY):
        folder = tmp_path / str(change)
        shutil.copytree(held, folder)
        lake = Lake(folder / "lake")
        archive = lake.archive("demo")
        is_done = True
        with killed_before(change):
            try:
                erase(archive, plan, lake.cache_folder)
            except Killed:
                is_done = False
        left = agents(lake)
        assert left <= {(WHO, 7), (WHO, 5), ("other", 5)} and ("other", 5) in left, change
        if list_erasures(archive):
            resume_erasures(archive, lake.cache_folder)
            assert agents(lake) == {("other", 5)}, change
            assert found(folder) == [], change
            (snapshot,) = lake.snapshots()
            assert (snapshot.rows, len(snapshot.erasures)) == (5, 1), change
            assert list_erasures(archive)[0]["touched"] == plan.to_dict(), change
        else:
            assert left == {(WHO, 7), ("other", 5)}, change
        if is_done:
            break


@pytest.mark.parametrize("at", ["the newest state", "all that came before the report"])
def test_what_a_kill_leaves_beside_the_tables_names_nobody(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, archive = make(tmp_path / "held", BY_AGENT)
    fill(archive)
    archive.snapshot(episodes="length >= 1")
    plan = plan_erasure(archive, Criterion(agent=WHO), "asked for")
    cached = lake.cache_folder / archive.snapshot(episodes="length >= 1").id
    cached.mkdir(parents=True)
    shutil.copytree(tmp_path / "held", tmp_path / "whole")
    with killed_before(None) as whole:
        erase(Lake(tmp_path / "whole" / "lake").archive("demo"), plan)
    assert found(tmp_path / "whole") == []
    with monkeypatch.context() as patch, killed_before(whole.count - 1):
        if at == "the newest state":  # keys of episodes and names of files are in the one before

            def killed(*args: object) -> None:
                raise Killed

            patch.setattr(StateLog, "forget", killed)
        with pytest.raises(Killed):
            erase(archive, plan, lake.cache_folder)
    resume_erasures(archive, lake.cache_folder)
    assert found(tmp_path / "held") == []
    assert not cached.exists()
    assert agents(lake) == {("other", 5)}
