"""Shadow: judge what has landed by a suite that is not in force yet, beside the one that is."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.worker.judging import CLOCK_SKEW, KEY_CONFLICT
from ingest.worker.partition_limit import TOO_MANY_PARTITIONS
from lake import Archive, Lake
from lake.landed_rows import LandedBatch, LandedRows
from replaylake.flows.shadow_report import Change, RuleChange, ShadowExample, ShadowReport, SuiteSaid
from replaylake.flows.shadow_rules import RulesByCode
from replaylake.flows.suite_watch import SuiteWatch
from schemas.errors import UsageError
from schemas.protocols import Verdict
from schemas.step import KEY_COLUMNS, LINEAGE_FIELDS, wire_schema
from validation import Gate, Suite
from validation.expectation import Severity

_EXAMPLES = 3  # rows that are shown of a rule
_EVERY = 1.0  # seconds between two looks at the tables
_VERDICTS: tuple[Change, ...] = ("newly_rejected", "newly_accepted")
_NO_SUITES = pa.array([CLOCK_SKEW, KEY_CONFLICT, TOO_MANY_PARTITIONS])  # reasons that the worker gives
_PLACE = [field.name for field in LINEAGE_FIELDS[:-1]]
OnLook = Callable[[ShadowReport], None]


def shadow(
    lake: Lake,
    name: str,
    suite: Suite,
    *,
    rows: int | None = None,
    since: int = -1,
    on_progress: OnLook = lambda report: None,
) -> ShadowReport:
    """Say what another suite would have judged otherwise than the archive's own, and change nothing.

    Looked at are both tables, or the newest `rows` of them, or what landed after version `since` of the
    steps. Rows that a replay has resolved count where they landed. Memory is bounded, however much that is.
    Raise SuiteError where a suite does not fit the archive.
    """
    shadowing = Shadow(lake.archive(name), suite, since=since, on_progress=on_progress)
    return shadowing.look(rows)


def shadow_follow(
    lake: Lake,
    name: str,
    suite: Suite,
    *,
    stop: threading.Event,
    rows: int | None = None,
    since: int = -1,
    on_look: OnLook = lambda report: None,
) -> ShadowReport:
    """Do the same, and go on with what lands until `stop` is set; `on_look` hears after each look.

    The archive's suite is taken as it was at the start.
    """
    shadowing = Shadow(lake.archive(name), suite, since=since)
    on_look(shadowing.look(rows))
    while not stop.wait(_EVERY):
        if shadowing.has_more():
            on_look(shadowing.look())
    return shadowing.report


class Shadow:
    """Judge rows by two gates, and count where they differ."""

    def __init__(
        self,
        archive: Archive,
        suite: Suite,
        *,
        since: int = -1,
        on_progress: OnLook = lambda report: None,
    ) -> None:
        """Compile both suites; raise SuiteError where one does not fit the archive."""
        self._gates = {"present": SuiteWatch(archive).gate, "proposed": Gate(archive.spec, suite)}
        self._rules = {which: RulesByCode(gate.suite, archive.spec) for which, gate in self._gates.items()}
        self._landed = LandedRows(archive, since)
        self._wire = wire_schema(archive.spec).names
        self._on_progress = on_progress
        said = {which: self._said(which) for which in self._gates}
        self.report = ShadowReport(
            archive.name, said["present"], said["proposed"], since, self._landed.version
        )

    def look(self, rows: int | None = None) -> ShadowReport:
        """Judge what was not judged yet, or the newest rows of it."""
        if rows is not None and rows < 1:
            raise UsageError(f"The number of rows {rows} is not possible.", hint="Give 1 or more.")
        for batch in self._landed.batches(rows):
            self._take(batch)
            self._on_progress(self.report)
        return self.report

    def has_more(self) -> bool:
        """Look whether anything has landed since, and see it from now on."""
        self._landed.refresh()
        before, self.report.version = self.report.version, self._landed.version
        return self.report.version != before

    def _said(self, which: str) -> SuiteSaid:
        gate, rules = self._gates[which], len(self._rules[which])
        return SuiteSaid(gate.suite.name, gate.suite_hash, rules, len(gate.suite.expectations) - rules)

    def _take(self, batch: LandedBatch) -> None:
        held = batch.rows
        if batch.table == "quarantine":
            judged = held.filter(_suites_decide(held))
            self.report.unjudged += held.num_rows - judged.num_rows
            self.report.quarantined += judged.num_rows
        else:
            judged = held
            self.report.steps += judged.num_rows
        if judged.num_rows:
            self._compare(judged)

    def _compare(self, rows: pa.Table) -> None:
        wire = rows.select(self._wire)
        verdicts = {which: gate.judge(wire) for which, gate in self._gates.items()}
        present, proposed = verdicts["present"], verdicts["proposed"]
        for which, verdict in verdicts.items():
            accepted = verdict.accepted
            self.report.accepted[which] += int(np.count_nonzero(accepted))
            self.report.flagged[which] += int(np.count_nonzero(_counts(verdict.flags)[accepted]))
            self.report.quality_sum[which] += float(verdict.quality[accepted].sum(dtype=np.float64))
        self._count(
            "newly_rejected", "proposed", rows, _of(proposed.reasons, present.accepted & ~proposed.accepted)
        )
        self._count(
            "newly_accepted", "present", rows, _of(present.reasons, ~present.accepted & proposed.accepted)
        )
        added, dropped = _differing(present, proposed)
        self._count("newly_flagged", "proposed", rows, added)
        self._count("no_longer_flagged", "present", rows, dropped)

    def _count(self, change: Change, which: str, rows: pa.Table, changed: pl.DataFrame) -> None:
        """Count a change; `changed` has the places of rows, and the codes that each is about."""
        if not changed.height:
            return
        self.report.totals[change] += changed.height
        by_code = changed.explode("codes").group_by("codes").agg(pl.len(), pl.col("place").head(_EXAMPLES))
        for code, count, places in by_code.iter_rows():
            counted = self.report.change(change, code)
            counted.rows += count
            missing = _EXAMPLES - len(counted.examples)
            if missing > 0:
                self._show(counted, self._rules[which], rows.take(pa.array(places[:missing])))

    def _show(self, counted: RuleChange, rules: RulesByCode, rows: pa.Table) -> None:
        severity: Severity = "critical" if counted.change in _VERDICTS else "warning"
        texts = rules.says(counted.code, severity, rows.select(self._wire))
        values = rows.select(rules.reads(counted.code, severity)).to_pylist()
        keys = rows.select(KEY_COLUMNS).to_pylist()
        places = rows.select(_PLACE).to_pylist()
        for place, key, value, text in zip(places, keys, values, texts, strict=True):
            named = "" if place[_PLACE[0]] is None else "/".join(str(place[part]) for part in _PLACE)
            key = {name: held for name, held in key.items() if held is not None}
            counted.examples.append(ShadowExample(named, key, value, text))


def _suites_decide(rows: pa.Table) -> pa.ChunkedArray:
    """Say of rows of quarantine whether suites alone decide: they decoded, and the worker had no reason."""
    reasons = pl.Series(rows["reasons"])
    others = reasons.list.eval(pl.element().is_in(_NO_SUITES.to_pylist())).list.any().fill_null(False)
    return pc.and_(pc.is_null(rows["raw"]), (~others).to_arrow())


def _counts(lists: pa.ListArray) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.diff(np.asarray(lists.offsets))
    return counts


def _of(lists: pa.ListArray, chosen: NDArray[np.bool_]) -> pl.DataFrame:
    """Return the chosen places and their codes."""
    places = np.flatnonzero(chosen)
    return pl.DataFrame({"place": places, "codes": pl.Series(lists.take(pa.array(places)))})


def _differing(present: Verdict, proposed: Verdict) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the flags that rows get, and those that they lose, where both suites accept them."""
    both = present.accepted & proposed.accepted & ((_counts(present.flags) + _counts(proposed.flags)) > 0)
    frame = pl.DataFrame(
        {
            "place": np.flatnonzero(both),
            "before": pl.Series(present.flags.filter(pa.array(both))),
            "after": pl.Series(proposed.flags.filter(pa.array(both))),
        }
    )
    added = frame.select("place", codes=pl.col("after").list.set_difference("before"))
    dropped = frame.select("place", codes=pl.col("before").list.set_difference("after"))
    return added.filter(pl.col("codes").list.len() > 0), dropped.filter(pl.col("codes").list.len() > 0)
