"""In bulk: sessions cut by key, silence and ends, and the fate of their last steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.timeline.bulk_order import Mask, Ordered, codes_of
from ingest.timeline.durations import micros
from ingest.timeline.events import END, REWARD, Events
from ingest.timeline.released import NOWHERE
from ingest.timeline.spec import TimelineSpec

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Hold K steps and ends, session by session, each in order; G sessions have a step."""

    event: Places  # (K,) their events
    is_end: Mask  # (K,)
    lone_end: Mask  # (K,) ends that end nothing
    number: Places  # (K,) the place in the session
    gap: Places  # (K,) the silence to note, or 0
    first: Places  # (G,) where each session begins
    last_step: Places  # (G,) where its last step is
    closed_at: Places  # (G,) where the event is that ends it, or NOWHERE: a silence does
    terminated: Mask  # (K,)
    truncated: Mask  # (K,)
    folded: Mask  # (K,) of which only the observation goes on
    next_row: Places  # (K,)
    ordinal: Places  # (G,)


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What the steps and ends say themselves."""

    terminated: Mask  # (K,)
    truncated: Mask  # (K,)
    has_next: Mask  # (K,)


def cut_sessions(events: Events, ordered: Ordered, spec: TimelineSpec) -> Cut:
    """Group the accepted steps and ends into sessions."""
    chosen = ordered.place[events.role[ordered.place] != REWARD]
    code = codes_of(
        *(column.take(pa.array(chosen)) for column in (events.source, events.agent, events.session))
    )
    by_key = np.argsort(code, kind="stable")
    event, code = chosen[by_key], code[by_key]
    time = events.time[event]
    is_end = events.role[event] == END
    said = _said(events, event, is_end, spec)
    new = np.ones(len(event), dtype=bool)
    silence = np.diff(time)
    ends = said.terminated | said.truncated
    new[1:] = (np.diff(code) != 0) | (silence > micros(spec.timeout)) | ends[:-1]
    begins = np.flatnonzero(new)
    lone_end = new & is_end
    first = begins[~is_end[begins]]
    last = _last_places(begins, len(event))[~is_end[begins]]
    gap = np.zeros(len(event), np.int64)
    if spec.gap is not None:
        noted = ~new[1:] & (silence > micros(spec.gap))
        gap[:-1][noted] = silence[noted]
    last_step = last - is_end[last]
    closed = ends[last]
    fate = _fates(events, event, said, first, last, last_step, closed, spec)
    return Cut(
        event=event,
        is_end=is_end,
        lone_end=lone_end,
        number=np.arange(len(event)) - np.repeat(begins, np.diff(np.append(begins, len(event)))),
        gap=gap,
        first=first,
        last_step=last_step,
        closed_at=np.where(closed, last, NOWHERE),
        terminated=fate[0],
        truncated=fate[1],
        folded=fate[2],
        next_row=fate[3],
        ordinal=_ordinals(code[first], time[first]),
    )


def _said(events: Events, event: Places, is_end: Mask, spec: TimelineSpec) -> _Said:
    row = events.payload_row[event]
    columns = []
    for column in (
        events.payload["terminated"],
        events.payload["truncated"],
        pc.is_valid(events.payload["next_observation"]),
    ):
        values = np.append(np.asarray(column, dtype=bool), False)  # the last one is of ends: row -1
        columns.append(values[row])
    terminates = np.array([end.terminated for end in spec.ends] + [False])
    by_end = terminates[np.where(is_end, events.which[event], len(spec.ends))]
    return _Said(columns[0] | (is_end & by_end), columns[1] | (is_end & ~by_end), columns[2])


def _last_places(begins: Places, count: int) -> Places:
    """Return where each group ends."""
    return np.append(begins[1:], count)[: len(begins)] - 1


def _fates(
    events: Events,
    event: Places,
    said: _Said,
    first: Places,
    last: Places,
    last_step: Places,
    closed: Mask,
    spec: TimelineSpec,
) -> tuple[Mask, Mask, Mask, Places]:
    """Say of each step whether it ends its session and how: a truncated one must know what came next."""
    terminated, truncated, folded = (np.zeros(len(event), dtype=bool) for _ in range(3))
    next_row = np.full(len(event), NOWHERE, np.int64)
    ends_terminated = said.terminated[last]
    ends_truncated = np.where(closed, said.truncated[last], True)
    known = ends_terminated | said.has_next[last_step]
    terminated[last_step] = known & ends_terminated
    truncated[last_step] = known & ends_truncated
    if spec.last_step == "fold":
        folds = last_step[~known & (last_step > first)]
        folded[folds] = True
        truncated[folds - 1] = True
        asking = folds[~said.has_next[folds - 1]]
        next_row[asking - 1] = events.payload_row[event[asking]]
    return terminated, truncated, folded, next_row


def _ordinals(code: Places, start: Places) -> Places:
    """Number the sessions of one key that began in the same microsecond."""
    if not len(code):
        return code
    fresh = np.append(True, (np.diff(code) != 0) | (np.diff(start) != 0))
    place = np.arange(len(code))
    return place - np.maximum.accumulate(np.where(fresh, place, 0))
