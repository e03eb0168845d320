"""Judge rows that quarantine holds once more, by the spec and the suite of today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.replay.reading import ORIGIN_FIELDS, Failure, Places, Read, RecordMapper, read_again
from ingest.worker.arrival import dates_of
from ingest.worker.judging import gated, why
from ingest.worker.partition_limit import TOO_MANY_PARTITIONS, excess_detail, within_limit
from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Gate
from schemas.step import DATE_FIELD


@dataclass(frozen=True, slots=True, eq=False)
class Rejudged:
    """Hold the rows that pass today, in their order, and why the others do not.

    A message that did not decode may hold several rows by now: it passes only with all of them.
    """

    rows: pa.Table  # the steps table's columns but for `ingested_at`
    place: Places  # (N,) which row of the batch each is of
    failed: Mapping[int, Failure]  # by place


def rejudge(held: pa.Table, spec: ArchiveSpec, gate: Gate, mapping: RecordMapper | None = None) -> Rejudged:
    """Judge rows of the quarantine table by the spec and the gate of today; see `read_again` for a mapping.

    Rows that would open more partitions in one commit than the spec allows stay: another replay lands them.
    """
    read, failed = read_again(held, spec, mapping)
    rows, place = read.rows, read.place
    verdict = gate.judge(rows)
    refused = ~(verdict.accepted & read.on_time)
    if refused.any():
        reasons, details = why(rows, verdict, rows["event_time"], read.on_time, refused, gate)
        for one, codes, detail in zip(place[refused].tolist(), reasons, details, strict=True):
            failed.setdefault(one, Failure(tuple(codes), detail))
    passed = ~np.isin(place, list(failed))
    whole = gated(_with_lineage(read, held), verdict, passed)
    place = place[passed]
    count, fits = within_limit(whole, spec)
    if not fits.all():
        excess = np.unique(place[~fits])
        failed.update(
            dict.fromkeys(excess.tolist(), Failure((TOO_MANY_PARTITIONS,), excess_detail(count, spec)))
        )
        fits = ~np.isin(place, excess)
        whole, place = whole.filter(pa.array(fits)), place[fits]
    return Rejudged(whole, place, failed)


def _with_lineage(read: Read, held: pa.Table) -> pa.Table:
    """Add where the rows came from, as quarantine has it, and their date."""
    rows = read.rows
    for field in ORIGIN_FIELDS:
        column = held[field.name].take(read.place)
        if field.name == "stream_row":
            column = pc.add(column, pa.array(read.number.astype(np.int32)))
        rows = rows.append_column(field, column)
    return rows.append_column(DATE_FIELD, dates_of(rows["event_time"]))
