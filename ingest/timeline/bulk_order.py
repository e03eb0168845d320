"""In bulk: which events are late or repeated, and in which order the others stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from ingest.timeline.durations import micros
from ingest.timeline.events import END, FAULTY, IGNORED, REWARD, STEP, UNTIMED, Events
from ingest.timeline.order import BEGINNING
from ingest.timeline.spec import TimelineSpec

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """Hold what the watermark makes of N events, M of which are accepted."""

    before: NDArray[np.int64]  # (N,) the watermark when each event came
    after: NDArray[np.int64]  # (N,) and once it was there
    late: Mask  # (N,)
    repeated: Mask  # (N,)
    place: NDArray[np.int64]  # (M,) the events that are accepted, by time and arrival
    rank: NDArray[np.int64]  # (N,) their place in that order; -1 for the others


def in_order(events: Events, spec: TimelineSpec) -> Ordered:
    """Compare each event with the watermark as of its arrival, and sort what is accepted."""
    time, role = events.time, events.role
    seen = np.where(role == UNTIMED, BEGINNING, time)
    top = np.maximum.accumulate(seen) if len(seen) else seen
    after = np.maximum(top - micros(spec.lateness), BEGINNING)
    before = np.concatenate([np.array([BEGINNING]), after[:-1]]) if len(after) else after
    known = (role == STEP) | (role == END) | (role == REWARD)
    late = known & (time < before)
    repeated = _repeats(events, known & ~late, before)
    accepted = np.flatnonzero(known & ~late & ~repeated)
    place = accepted[np.argsort(time[accepted], kind="stable")]
    rank = np.full(len(time), -1, np.int64)
    rank[place] = np.arange(len(place))
    return Ordered(before, after, late, repeated, place, rank)


def refused_by_themselves(events: Events) -> Mask:
    """Say which events are faulty whatever the others are."""
    return np.isin(events.role, (FAULTY, UNTIMED))


def ignored(events: Events) -> int:
    """Count the events of kinds that the spec ignores."""
    return int(np.count_nonzero(events.role == IGNORED))


def codes_of(*columns: pa.StringArray) -> NDArray[np.int64]:
    """Number the rows so that equal values, and only they, have equal numbers; none of them is null."""
    code = np.zeros(len(columns[0]), np.int64)
    count = 1
    for column in columns:
        encoded = column.dictionary_encode()
        size = max(1, len(encoded.dictionary))
        if count * size > 1 << 62:
            distinct, code = np.unique(code, return_inverse=True)
            count = len(distinct)
        if size > 1:
            code = code * size + encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
            count *= size
    return code


def _repeats(events: Events, candidates: Mask, before: NDArray[np.int64]) -> Mask:
    """Say whose id came before with a time that is not older than the watermark."""
    repeated = np.zeros(len(candidates), dtype=bool)
    rows = np.flatnonzero(candidates & np.asarray(events.event_id.is_valid()))
    if not len(rows):
        return repeated
    ids = pl.Series("id", events.event_id.take(pa.array(rows)))
    shared = ids.is_duplicated().to_numpy()
    if not shared.any():
        return repeated
    rows = rows[shared]
    frame = pl.DataFrame({"id": ids.filter(shared), "time": events.time[rows]})
    largest = pl.col("time").cum_max().shift(1).over("id")
    known = frame.select(largest.fill_null(BEGINNING)).to_series().to_numpy()
    repeated[rows] = (known != BEGINNING) & (known >= before[rows])
    return repeated
