"""Audit an archive: look at what landed since the last audit, say what is wrong, and keep it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from lake import Archive, AuditScope, Lake, Snapshot, sample_snapshot
from replaylake.flows.amounts import MOST_ROWS, PROBED, check_comparable, rows_at_once
from schemas.errors import CommitConflictError, StorageError, UsageError
from validation import Suite
from validation.audits.audit import Known, audit_steps
from validation.audits.distributions import distributions
from validation.audits.drift import check_drift
from validation.audits.episode_checks import check_episodes
from validation.audits.episodes import episode_table
from validation.audits.expectations import judge_together
from validation.audits.report import AuditReport, worst_first
from validation.audits.worst import worst_episodes

if TYPE_CHECKING:
    from validation.audits.finding import Finding
    from validation.audits.outliers import Method
    from validation.audits.propensities import Policy

_ATTEMPTS = 5  # each is an audit of somebody else that landed first
NO_REFERENCE = ""


def audit_archive(
    lake: Lake,
    name: str,
    *,
    reference: Snapshot | str | None = None,
    policy: Policy | None = None,
    constraints: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    full: bool = False,
    outliers: Method | None = "mad",
    most_rows: int = MOST_ROWS,
) -> AuditReport:
    """Look at the steps that landed since the last audit and all of their episodes, and keep what is found.

    The episodes go into the archive's table of episodes, the report into its history. Where nothing landed
    since and nothing else is asked, the last report is returned; where something else is asked, or with
    `full`, all steps are looked at. What needs statistics looks at about `most_rows` of the new steps, whole
    episodes of them.

    `reference` is a snapshot, or its id, of experience that is known to be good; it is remembered for the
    next audits, until another is given or `NO_REFERENCE`. Without one, drift is told against the steps of
    the first audit, as a warning at most, for nobody has said that they are good. `policy` gives the
    probabilities by which the agent acted. `constraints` are expressions that every step has to meet, by
    their names, and `names` those of elements in them; see `apply_constraints`.

    Run it as often as needed, by many at once: an episode and a report are kept once. Raise UsageError for
    a reference of other spaces, and NotFoundError for one that is not there.
    """
    if most_rows < 1:
        raise UsageError(f"most_rows {most_rows} is not possible.", hint="Give 1 or more.")
    known = Known(None, policy, constraints or {}, names or {}, outliers)
    audit = _Audit(lake, name, reference, known, most_rows)
    for _ in range(_ATTEMPTS):
        try:
            return audit.run(full)
        except CommitConflictError:
            continue
    raise StorageError(
        f"Other audits of {name!r} landed {_ATTEMPTS} times while this one was looking.",
        hint="Let one of them do it.",
    )


def audit_history(lake: Lake, name: str) -> list[AuditReport]:
    """Return the reports of an archive's audits by version, oldest first.

    Each tells of the rows that landed since the one before it, but for those that began anew (`since` is
    -1). What was looked at again without anything new is not among them: see `last_audit`.
    """
    return [AuditReport.from_dict(one) for one in AuditScope(lake.archive(name)).history]


def last_audit(lake: Lake, name: str) -> AuditReport | None:
    """Return the newest report, or None where the archive was never audited."""
    latest = AuditScope(lake.archive(name)).latest
    return None if latest is None else AuditReport.from_dict(latest)


class _Audit:
    """Hold what was asked for, to ask it again where another audit was faster."""

    def __init__(
        self,
        lake: Lake,
        name: str,
        reference: Snapshot | str | None,
        known: Known,
        most_rows: int,
    ) -> None:
        self._lake = lake
        self._archive = lake.archive(name)
        self._given = reference
        self._known = known
        self._most_rows = most_rows
        stored = self._archive.suite
        self._suite = None if stored is None else Suite.from_dict(stored)

    def run(self, full: bool) -> AuditReport:
        """Look once; raise CommitConflictError where another audit landed meanwhile."""
        scope = AuditScope(self._archive, full=full)
        latest = scope.latest
        last = None if latest is None else AuditReport.from_dict(latest)
        snapshot = self._reference(last)
        if last is not None and scope.is_empty and not full:
            if self._is_answered(last, snapshot):
                return last
            scope = AuditScope(self._archive, full=True)
        episodes, report = self._look(scope, snapshot)
        document = report.to_dict()
        scope.land(episodes.to_arrow(), document, report.made_at)
        return AuditReport.from_dict(document)  # what is kept has a few examples of each finding, not all

    def _is_answered(self, last: AuditReport, snapshot: Snapshot | None) -> bool:
        asked_more = self._known.policy is not None or bool(self._known.constraints)
        same_suite = last.suite_hash == ("" if self._suite is None else self._suite.hash)
        return not asked_more and same_suite and last.reference == (snapshot.id if snapshot else None)

    def _reference(self, last: AuditReport | None) -> Snapshot | None:
        given = self._given
        if given is None:
            given = last.reference if last else None
        if not given:
            return None
        snapshot = self._lake.snapshot(given) if isinstance(given, str) else given
        check_comparable(snapshot, self._archive)
        return snapshot

    def _look(self, scope: AuditScope, snapshot: Snapshot | None) -> tuple[pl.DataFrame, AuditReport]:
        spec, suite = self._archive.spec, self._suite
        rows = rows_at_once(scope.new_rows(PROBED), self._most_rows)
        episodes, whole = _episodes(scope, self._archive, rows)
        new = scope.new_rows(rows)
        reference = None if snapshot is None else sample_snapshot(snapshot, rows)
        first = _first_rows(scope, rows) if snapshot is None else None
        results, unmet = (None, []) if suite is None else judge_together(suite, new, spec)
        findings = [
            *unmet,
            *_episode_findings(scope, episodes),
            *audit_steps(new, whole, spec, replace(self._known, reference=reference)),
            *(_drift_since(first, new, self._archive) if first is not None else ()),
        ]
        tally = scope.tally()
        report = AuditReport(
            archive=self._archive.name,
            version=scope.version,
            since=scope.since,
            made_at=datetime.now(UTC),
            suite_name="" if suite is None else suite.name,
            suite_hash="" if suite is None else suite.hash,
            rows=tally.rows,
            quarantined=tally.quarantined,
            episodes=episodes.height,
            complete_episodes=int(episodes["complete"].sum()),
            rejects=tally.rejects,
            flags=tally.flags,
            quality=tally.quality,
            findings=worst_first([_without_places(finding) for finding in findings]),
            results=None if results is None else results.to_dict(),
            distributions=distributions(new, spec, reference if first is None else first),
            worst_episodes=worst_episodes(episodes, scope.ends_of),
            reference=None if snapshot is None else snapshot.id,
            looked_at=new.num_rows,
        )
        return episodes, report


def _episodes(scope: AuditScope, archive: Archive, rows: int) -> tuple[pl.DataFrame, pa.Table]:
    """Return every episode that new rows are of, and the steps of as many of them as are read at once."""
    tables, first = [], None
    for steps in scope.whole_episodes(rows):
        first = steps if first is None else first
        tables.append(episode_table(steps, archive.spec))
    assert first is not None  # noqa: S101 (there is a first part, if an empty one)
    return pl.concat(tables), first


def _without_places(finding: Finding) -> Finding:
    """Leave out the places of examples in the table that was looked at, which nobody else has."""
    kept = tuple(
        {name: value for name, value in example.items() if name != "row"} for example in finding.examples
    )
    return replace(finding, examples=kept)


def _episode_findings(scope: AuditScope, episodes: pl.DataFrame) -> list[Finding]:
    """Say what is wrong with the episodes; for some of it those count, too, that were audited before."""
    findings = check_episodes(episodes)
    if scope.since < 0:
        return findings
    keys = episodes.to_arrow()
    for check, beside in (("copied_episode", scope.alike), ("abandoned", scope.left_open)):
        held = pl.DataFrame(beside(keys))
        if held.height:
            among = check_episodes(pl.concat([episodes, held]))
            findings = [one for one in findings if one.check != check]
            findings += [one for one in among if one.check == check]
    return findings


def _first_rows(scope: AuditScope, rows: int) -> pa.Table | None:
    """Return what the first audit looked at, where this one looks at what came later."""
    version = scope.first_version if scope.since >= 0 else None
    return None if version is None else scope.rows_at(version, rows)


def _drift_since(first: pa.Table, new: pa.Table, archive: Archive) -> list[Finding]:
    if not first.num_rows or not new.num_rows:
        return []
    return [
        replace(
            finding,
            severity="info" if finding.severity == "info" else "warning",
            message=f"{finding.message} (Compared with the steps of the first audit.)",
        )
        for finding in check_drift(first, new, archive.spec)
    ]
