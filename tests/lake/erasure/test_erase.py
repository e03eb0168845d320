"""An erasure leaves nothing of an agent in the lake, and keeps out what comes again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake import Archive, ArchiveLanding
from lake.maintenance.compact import compact_archive
from lake.maintenance.erase import erase, list_erasures, resume_erasures
from lake.maintenance.erasure_plan import Criterion, plan_erasure
from lake.maintenance.retain import retain
from lake.snapshots import pin
from replaylake.flows.auditing import audit_archive
from schemas.archive_spec import ArchiveSpec
from schemas.errors import CommitConflictError, NotFoundError, QueryError, UsageError
from tests.lake.archives import DAY, append, landed_rows, make, numbers, row
from tests.lake.erasure.lakes import AGED, BY_AGENT, EPISODE, WHO, agents, fill, found, refuse, theirs

LATER = (DAY + timedelta(days=30)).date()


def erased(archive: Archive, criterion: Criterion, cache: Path | None = None) -> None:
    erase(archive, plan_erasure(archive, criterion, "asked for"), cache)


@pytest.mark.parametrize(("spec", "moved"), [(AGED, True), (BY_AGENT, False)], ids=["cold", "by agent"])
def test_not_a_byte_is_left(spec: ArchiveSpec, moved: bool, tmp_path: Path) -> None:
    lake, archive = make(tmp_path, spec)
    fill(archive)
    refuse(archive)
    pinned = pin(archive.snapshot(), "model/best")
    if moved:
        retain(archive, today=LATER)
    compact_archive(archive)
    if moved:
        fill_more = [theirs(step, episode_id=f"{EPISODE}-2") for step in range(2)]
        append(archive, *fill_more)
    whole = archive.snapshot()
    by_episode = archive.snapshot(any_step="reward >= 4")
    audit_archive(lake, "demo")
    assert found(tmp_path)
    plan = plan_erasure(archive, Criterion(agent=WHO), "asked for")
    before = lake.sql("select * from demo.steps where agent_id = 'other' order by step").rows()
    report = erase(archive, plan, lake.cache_folder)
    assert found(tmp_path) == []
    assert agents(lake) == {("other", 5)}
    assert lake.sql("select * from demo.steps where agent_id = 'other' order by step").rows() == before
    offsets = "select stream_offset from demo.quarantine order by 1"
    assert numbers(lake, offsets) == [2, 4]
    touched = {one.id: one.pins for one in plan.snapshots}
    assert touched == {pinned.id: ("model/best",), whole.id: (), by_episode.id: ()}
    for snapshot_id in touched:
        snapshot = lake.snapshot(snapshot_id)
        assert [mark.id for mark in snapshot.erasures] == [f"erasure-{report.number}"]
        with snapshot.connect() as connection:
            assert connection.sql(f"select distinct agent_id from ({snapshot.query})").fetchall() == [
                ("other",)
            ]
    audit_archive(lake, "demo")
    assert numbers(lake, "select agent_id from demo.episodes") == ["other"]
    assert resume_erasures(archive) == []
    (listed,) = list_erasures(archive)
    assert listed == report.to_dict() and WHO not in str(listed)


def test_of_one_source_the_others_stay(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, theirs(0, source="a"), theirs(0, source="b"))
    erased(archive, Criterion(agent=WHO, source="a"))
    assert lake.sql("select source from demo.steps").rows() == [("b",)]


def test_by_a_condition_its_rows_go_wherever_they_are(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    fill(archive)
    refuse(archive)
    audit_archive(lake, "demo")
    plan = plan_erasure(archive, Criterion(where="reward >= 2 and agent_id <> 'other'"), "wrong sensor")
    assert plan.rows == {"steps": 3, "quarantine": 1, "episodes": 1} and plan.undecoded == 3
    erase(archive, plan)
    assert agents(lake) == {(WHO, 2), ("other", 5)}
    assert numbers(lake, "select stream_offset from demo.quarantine order by 1") == [2, 3, 4, 5]
    audit_archive(lake, "demo")
    assert lake.sql("select agent_id, rows from demo.episodes order by 1").rows() == [(WHO, 2), ("other", 5)]


def test_what_was_erased_does_not_land_again(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, theirs(0), theirs(1), row(0, agent_id="other"))
    erased(archive, Criterion(agent=WHO))
    append(archive, theirs(0), theirs(7), row(1, agent_id="other"))
    assert agents(lake) == {("other", 2)}
    now = datetime.now(UTC)
    consented = now + timedelta(hours=1)
    append(archive, theirs(0, event_time=consented), theirs(0, episode_id="new", event_time=consented))
    assert numbers(lake, f"select episode_id from demo.steps where agent_id = '{WHO}'") == ["new"]


def test_for_good_nothing_of_an_agent_lands_ever(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    erased(archive, Criterion(agent=WHO, for_good=True))
    append(archive, theirs(0, event_time=datetime.now(UTC) + timedelta(hours=1)), row(1, agent_id="other"))
    assert agents(lake) == {("other", 1)}


def test_what_a_condition_chose_is_kept_out_by_its_key(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, theirs(0), theirs(1), row(5, event_id="own", reward=3.0))
    erased(archive, Criterion(where="step = 1 or event_id = 'own'"))
    again = datetime.now(UTC) + timedelta(hours=1)
    append(archive, theirs(1, event_time=again), theirs(2), row(5, event_id="own", event_time=again))
    assert numbers(lake, "select step from demo.steps order by 1") == [0, 2]


def test_a_worker_that_does_not_know_is_refused(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    fill(archive)
    landing = ArchiveLanding(archive)
    rows = landed_rows(archive.spec, 1, agent_id=WHO)
    assert not landing.erased(rows).any()
    erased(archive, Criterion(agent=WHO))
    for table in ("steps", "quarantine"):
        with pytest.raises(CommitConflictError):
            landing.commit(table, archive.table(table).schema.empty_table(), {}, {})
    landing.refresh()
    assert landing.erased(rows).all()
    landing.commit("steps", rows.slice(0, 0), {}, {})


def test_older_versions_cannot_be_read_any_more(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    fill(archive)
    version = archive.table("steps").version
    erased(archive, Criterion(agent=WHO))
    steps = archive.table("steps")
    assert steps.added(version) is None
    with pytest.raises(NotFoundError):
        steps.at(version)
    landed = append(archive, row(9, agent_id="other"))
    assert len(archive.table("steps").added(landed - 1) or []) == 1


def test_a_second_erasure_and_one_of_nothing(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    fill(archive)
    erased(archive, Criterion(agent=WHO))
    erased(archive, Criterion(agent="other"))
    erased(archive, Criterion(agent="nobody"))
    assert agents(lake) == set()
    assert [one["touched"]["rows"]["steps"] for one in list_erasures(archive)] == [5, 5, 0]


@pytest.mark.parametrize(
    ("where", "said"),
    [("reward > 1e9", "No row"), ("nonsense +", "does not work"), ("true) or (1=1", "does not work")],
)
def test_a_condition_of_nothing_or_that_is_none_changes_nothing(
    where: str, said: str, tmp_path: Path
) -> None:
    lake, archive = make(tmp_path)
    fill(archive)
    with pytest.raises(QueryError, match=said):
        plan_erasure(archive, Criterion(where=where), "why")
    assert agents(lake) == {(WHO, 5), ("other", 5)} and list_erasures(archive) == []


def test_a_criterion_is_an_agent_or_a_condition(tmp_path: Path) -> None:
    for given in ({}, {"agent": "a", "where": "true"}, {"where": "true", "source": "s"}):
        with pytest.raises(UsageError):
            Criterion(**given)  # type: ignore[arg-type]
