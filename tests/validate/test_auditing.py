"""Audits by version: each looks at what is new, and together they say what one would have said of all."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pytest

from lake import AuditScope, Lake
from lake.commits import CommitLog
from replaylake import audit_archive, audit_history, last_audit
from replaylake.flows.auditing import NO_REFERENCE
from schemas.errors import CommitConflictError, NotFoundError, SpecError, StorageError, SuiteError, UsageError
from schemas.spaces import Box, Discrete
from schemas.step import wire_schema
from schemas.steps import Steps
from tests.lake.archives import refused_rows
from tests.validate.samples import BELOW_TWO, SPEC, append, change, episodes, make, played
from validation.audits.report import AuditReport


class Crash(Exception):
    """Stand for the end of the process."""


def named(report: AuditReport) -> set[tuple[str, str | None, str]]:
    """Return what was found, and how bad it is."""
    return {(finding.check, finding.column, finding.severity) for finding in report.findings}


def timed(steps: pa.Table, months: int = 0) -> pa.Table:
    """Let the steps happen hour after hour, over some days."""
    start = datetime(2026, 1 + months, 1, tzinfo=UTC)
    times = [start + timedelta(hours=number) for number in range(steps.num_rows)]
    place = steps.schema.get_field_index("event_time")
    return steps.set_column(place, steps.schema.field(place), pa.array(times, steps.schema.field(place).type))


# By version


@pytest.mark.parametrize("seed", range(2))
def test_many_audits_say_of_episodes_what_one_says(tmp_path: Path, seed: int) -> None:
    """The rows land in any order and portions, so that episodes go on through several audits."""
    rng = random.Random(seed)
    steps = timed(played(seed + 1, 200)).take(pa.array(rng.sample(range(200), 200)))
    often, archive = make(tmp_path / "often")
    once, other = make(tmp_path / "once")
    while steps.num_rows:
        portion = rng.randint(1, 90)
        append(archive, steps.slice(0, portion))
        append(other, steps.slice(0, portion))
        steps = steps.slice(portion)
        if rng.random() < 0.7:
            audit_archive(often, "pole")
    audit_archive(often, "pole")
    audit_archive(once, "pole")
    assert episodes(often) == episodes(once)
    assert sum(report.rows for report in audit_history(often, "pole")) == 200
    again = audit_archive(often, "pole", full=True)
    assert (again.since, again.rows) == (-1, 200)
    assert episodes(often) == episodes(once)


def test_a_report_says_what_was_looked_at(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, BELOW_TWO)
    append(archive, change(played(1), 3, reward=5.0))
    refused = {"reasons": ["between(reward)"], "date": "2026-01-01"}
    archive.table("quarantine").append(refused_rows(SPEC, refused), {}, {})
    report = audit_archive(lake, "pole")
    counted = lake.sql("select count(*), count(*) filter (complete) from pole.episodes").rows()[0]
    assert (report.episodes, report.complete_episodes) == counted
    assert (report.version, report.since, report.rows, report.quarantined) == (1, -1, played(1).num_rows, 1)
    assert report.rejects == {"between(reward)": 1}
    assert report.suite_name == "below two"
    assert report.results is not None
    assert not report.results["success"]
    assert report.results["results"][0]["result"]["partial_unexpected_list"] == [5.0]
    assert sum(report.distributions["reward"]["current"]) == report.rows
    assert report.distributions["action"]["edges"] == [-0.5, 0.5, 1.5]
    assert len(report.worst_episodes[0]["rows"]) == 10
    assert AuditReport.from_dict(report.to_dict()) == report == last_audit(lake, "pole")


def test_an_archive_without_steps(tmp_path: Path) -> None:
    lake, _ = make(tmp_path, BELOW_TWO)
    assert last_audit(lake, "pole") is None
    report = audit_archive(lake, "pole")
    assert (report.rows, report.episodes, report.quality, report.findings) == (0, 0, None, ())
    assert audit_history(lake, "pole") == [report]


def test_where_nothing_is_new_the_last_report_stands_unless_something_else_is_asked(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, played(1))
    first = audit_archive(lake, "pole")
    assert audit_archive(lake, "pole") == first
    archive.change_suite(BELOW_TWO)
    second = audit_archive(lake, "pole")
    assert (second.since, second.suite_name) == (-1, "below two")
    assert audit_archive(lake, "pole") == second
    third = audit_archive(lake, "pole", constraints={"low": "reward < 1"})
    assert ("low", "reward", "critical") in named(third)
    assert last_audit(lake, "pole") == third
    assert audit_history(lake, "pole") == [first]


def test_wrong_steps_are_found_in_the_audit_of_their_version(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, played(1))
    assert "wrong_next_observation" not in {check for check, *_ in named(audit_archive(lake, "pole"))}
    append(archive, change(played(2), 4, next_observation=[0.1, 0.2, 0.3, 0.4]))
    found = named(audit_archive(lake, "pole"))
    assert ("wrong_next_observation", "next_observation", "critical") in found
    append(archive, played(3))
    assert "wrong_next_observation" not in {check for check, *_ in named(audit_archive(lake, "pole"))}


def test_a_copy_of_an_episode_that_was_audited_before_is_found(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    steps = played(1)
    append(archive, steps)
    audit_archive(lake, "pole")
    renamed = pa.array([f"copy of {name}" for name in steps["episode_id"].to_pylist()])
    append(archive, steps.set_column(steps.schema.get_field_index("episode_id"), "episode_id", renamed))
    report = audit_archive(lake, "pole")
    (copied,) = [finding for finding in report.findings if finding.check == "copied_episode"]
    assert copied.count == report.episodes


def test_an_episode_that_is_left_is_told_of_once(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    told = []
    for day, rows in enumerate((slice(0, 100), slice(0, 200), slice(0, 0))):
        steps = timed(played(day + 1), day).to_pylist()
        steps = [{**row, "agent_id": "one"} for row in steps[rows] or steps]
        append(archive, pa.Table.from_pylist(steps, schema=wire_schema(SPEC)))
        findings = audit_archive(lake, "pole").findings
        told.append([finding.count for finding in findings if finding.check == "abandoned"])
    assert told == [[], [1], []]


def test_what_the_suite_asks_of_steps_together_is_found(tmp_path: Path) -> None:
    rules = [
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "reward", "max_value": 0.5}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "step"}, "severity": "warning"},
        {"type": "expect_column_max_to_be_between", "kwargs": {"column": "reward", "max_value": 1}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "reward", "max_value": 0.5}},
        {"type": "expect_column_max_to_be_between", "kwargs": {"column": "score", "max_value": 1}},
    ]
    lake, archive = make(tmp_path)
    archive.change_suite({"name": "together", "expectations": rules})
    append(archive, played(1))
    found = [finding for finding in audit_archive(lake, "pole").findings if finding.audit == "suite"]
    assert [(finding.check, finding.column, finding.severity) for finding in found] == [
        ("expect_column_mean_to_be_between", "reward", "critical"),
        ("expect_column_max_to_be_between", "score", "critical"),
        ("expect_column_values_to_be_unique", "step", "warning"),
    ]
    assert found[0].value == 1.0
    assert "no column 'score'" in found[1].message
    assert (found[2].count, found[2].total) == (400, 400)


def test_statistics_of_many_rows_are_of_some_episodes(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, played(1, 2000))
    report = audit_archive(lake, "pole", most_rows=500)
    assert 0 < report.looked_at <= 1000 < report.rows
    assert report.episodes == lake.sql("select count(distinct episode_id) from pole.steps").rows()[0][0]
    assert lake.sql("select sum(rows) from pole.episodes").rows() == [(report.rows,)]


# References


def test_a_reference_is_remembered_until_it_is_taken_back(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, played(1))
    snapshot = archive.snapshot()
    assert audit_archive(lake, "pole", reference=snapshot).reference == snapshot.id
    append(archive, _shifted(played(3)))
    report = audit_archive(lake, "pole")
    assert report.reference == snapshot.id
    assert ("range", "observation[0]", "warning") in named(report)
    assert sum(report.distributions["observation[0]"]["reference"]) == snapshot.rows
    report = audit_archive(lake, "pole", reference=NO_REFERENCE)
    assert (report.reference, report.since) == (None, -1)


def test_a_reference_that_is_given_later_is_looked_beside_at_all_steps(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, played(1))
    assert audit_archive(lake, "pole").reference is None
    report = audit_archive(lake, "pole", reference=archive.snapshot().id)
    assert (report.reference, report.since) == (archive.snapshot().id, -1)


def _shifted(steps: pa.Table) -> pa.Table:
    rows = steps.to_pylist()
    for row in rows:
        row["observation"] = [row["observation"][0] + 2, *row["observation"][1:]]
        row["next_observation"] = [row["next_observation"][0] + 2, *row["next_observation"][1:]]
    return pa.Table.from_pylist(rows, schema=steps.schema)


def test_without_a_reference_drift_is_told_against_the_first_audit(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, played(1, 1500))
    audit_archive(lake, "pole")
    append(archive, _shifted(played(2, 1500)))
    drifted = [finding for finding in audit_archive(lake, "pole").findings if finding.audit == "drift"]
    assert drifted
    assert all(finding.severity != "critical" for finding in drifted)
    assert all("steps of the first audit" in finding.message for finding in drifted)


def test_a_reference_has_the_same_spaces(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, played(1))
    spec = SPEC.model_copy(update={"name": "other", "observation": Box(shape=(1,)), "action": Discrete(n=2)})
    other = lake.create("other", spec=spec)
    row = {
        "episode_id": "e",
        "step": 0,
        "observation": [0.0],
        "action": 0,
        "terminated": True,
        "truncated": False,
    }
    other.append(Steps.from_rows([row], spec))
    with pytest.raises(UsageError, match="spaces are not those"):
        audit_archive(lake, "pole", reference=other.snapshot())
    with pytest.raises(NotFoundError, match="no snapshot"):
        audit_archive(lake, "pole", reference="pole-000000000000")
    assert not archive.is_audited


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, played(1))
    with pytest.raises(NotFoundError, match="no archive 'none'"):
        audit_archive(lake, "none")
    with pytest.raises(SpecError):
        audit_archive(lake, "../pole")
    with pytest.raises(UsageError, match="most_rows 0"):
        audit_archive(lake, "pole", most_rows=0)
    with pytest.raises(SuiteError, match="low"):
        audit_archive(lake, "pole", constraints={"low": "rewrad < 1"})
    with pytest.raises(UsageError, match="method"):
        audit_archive(lake, "pole", outliers="none")  # type: ignore[arg-type]
    assert not archive.is_audited


# Once, whatever dies and whoever races


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_crash_at_the_commit_keeps_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    lake, archive = make(tmp_path)
    append(archive, played(1))
    audit_archive(lake, "pole")
    append(archive, played(2))
    real = CommitLog.append

    def crash(log: CommitLog, *given: object, **options: object) -> int:
        if place == "after":
            real(log, *given, **options)  # type: ignore[arg-type]
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(CommitLog, "append", crash)
        with pytest.raises(Crash):
            audit_archive(lake, "pole")
    assert len(audit_history(lake, "pole")) == (1 if place == "before" else 2)
    report = audit_archive(lake, "pole")
    assert (report.since, report.version) == (1, 2)
    assert [one.version for one in audit_history(lake, "pole")] == [1, 2]
    rows = sum(count for _, count, _ in archive.table("episodes").file_sizes())
    assert rows == len(episodes(lake)) == len(_keys(lake))


def _keys(lake: Lake) -> list[tuple[str, ...]]:
    return lake.sql("select distinct source, agent_id, episode_id from pole.steps").rows()


def test_audits_at_once_keep_one_report_and_every_episode_once(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    together = Barrier(3)

    def race(_: int) -> AuditReport:
        together.wait()
        return audit_archive(lake, "pole")

    for seed in (1, 2):
        append(archive, played(seed))
        with ThreadPoolExecutor(3) as pool:
            reports = list(pool.map(race, range(3)))
        assert {(report.version, report.rows) for report in reports} == {(seed, played(seed).num_rows)}
    assert [report.version for report in audit_history(lake, "pole")] == [1, 2]
    assert sum(count for _, count, _ in archive.table("episodes").file_sizes()) == len(_keys(lake))


def test_who_always_comes_second_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, archive = make(tmp_path)
    append(archive, played(1))
    looked = []

    def second(scope: AuditScope, *_: object) -> None:
        looked.append(scope.version)
        raise CommitConflictError("Another audit was faster.")

    monkeypatch.setattr(AuditScope, "land", second)
    with pytest.raises(StorageError, match="Other audits"):
        audit_archive(lake, "pole")
    assert len(looked) > 1
