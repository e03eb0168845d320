"""The timeline in bulk: the steps of whole files, column by column, the same as over a stream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.records import Mapped, Refused
from ingest.timeline.bulk_limits import exceeds_limits
from ingest.timeline.bulk_order import Ordered, ignored, in_order, refused_by_themselves
from ingest.timeline.bulk_rewards import Joined, join_rewards
from ingest.timeline.bulk_sessions import Cut, cut_sessions
from ingest.timeline.events import REWARD, Events, read_events
from ingest.timeline.joining import join_events
from ingest.timeline.refusals import end_without_step, late, reward_without_step
from ingest.timeline.released import NOWHERE, Plan, Released, assemble, episode_names
from ingest.timeline.report import TimelineReport
from ingest.timeline.spec import TimelineSpec
from ingest.timeline.stream import Timeline
from schemas.archive_spec import ArchiveSpec

_NO_EVENTS = Mapped(pa.table({}), np.zeros(0, np.int64), ())


def build_steps(mapped: Mapped | Iterable[Mapped], spec: TimelineSpec, archive: ArchiveSpec) -> Released:
    """Turn all the events of a log, in the order of their arrival, into steps; the log's end closes sessions.

    The result is that of a `Timeline` that is fed the same events and then closed, how ever they are
    batched; steps come by time. All is held in memory. Where a limit of the spec would have been met over a
    stream, the events are taken one by one, and it takes as long as there.
    """
    batches = [mapped] if isinstance(mapped, Mapped) else list(mapped) or [_NO_EVENTS]
    events = join_events([read_events(batch, spec, archive) for batch in batches], archive)
    ordered = in_order(events, spec)
    cut = cut_sessions(events, ordered, spec)
    joined = join_rewards(events, ordered, spec)
    if exceeds_limits(events, ordered, cut, joined, spec):
        return _one_by_one(batches, spec, archive)
    refused = [one for batch in batches for one in batch.refused]
    refused += _refused(events, ordered, cut, joined)
    places = _output(events, ordered, cut)
    steps = assemble(events.payload, _plan(events, cut, joined, places), spec)
    report = TimelineReport(
        events=len(events) + sum(len(batch.refused) for batch in batches),
        steps=len(places),
        rewards=int(np.count_nonzero(joined.step != NOWHERE)),
        ends=int(np.count_nonzero(cut.is_end & ~cut.lone_end)),
        ignored=ignored(events),
        duplicates=int(np.count_nonzero(ordered.repeated)),
        folded=int(np.count_nonzero(cut.folded)),
        sessions=len(cut.first),
    )
    report.refused.update(one.reason for one in refused)
    return Released(steps, tuple(refused), report)


def _one_by_one(batches: Sequence[Mapped], spec: TimelineSpec, archive: ArchiveSpec) -> Released:
    timeline = Timeline(spec, archive)
    parts = [timeline.feed(batch) for batch in batches]
    parts.append(timeline.close())
    report = TimelineReport()
    for part in parts:
        report.add(part.report)
    steps = pa.concat_tables([part.steps for part in parts])
    return Released(steps, tuple(one for part in parts for one in part.refused), report)


def _output(events: Events, ordered: Ordered, cut: Cut) -> NDArray[np.int64]:
    """Return the places of the steps that go out, by time and arrival."""
    places = np.flatnonzero(~cut.is_end & ~cut.folded)
    return places[np.argsort(ordered.rank[cut.event[places]])]


def _plan(events: Events, cut: Cut, joined: Joined, places: NDArray[np.int64]) -> Plan:
    begins = cut.event[cut.first]
    names = episode_names(events.session.take(pa.array(begins)), events.time[begins], cut.ordinal)
    session = np.searchsorted(cut.first, places, "right") - 1
    row = events.payload_row[cut.event[places]]
    return Plan(
        row=row,
        next_row=cut.next_row[places],
        episode=names.take(pa.array(session)),
        step=cut.number[places],
        terminated=cut.terminated[places],
        truncated=cut.truncated[places],
        joined=joined.value[row],
        came=joined.came[row],
        gap=cut.gap[places],
    )


def _refused(events: Events, ordered: Ordered, cut: Cut, joined: Joined) -> list[Refused]:
    """Say why events became no step: no loop but over these."""
    raw, time = events.raw, events.time.tolist()
    lost = ordered.place[events.role[ordered.place] == REWARD]
    lost = lost[joined.step[lost] == NOWHERE]
    faulty = np.flatnonzero(refused_by_themselves(events)).tolist()
    found = [Refused(raw(row), *events.faults[row]) for row in faulty]
    for row in np.flatnonzero(ordered.late).tolist():
        found.append(late(raw(row), time[row], int(ordered.before[row])))
    found += [end_without_step(raw(row), time[row]) for row in cut.event[cut.lone_end].tolist()]
    found += [reward_without_step(raw(row), time[row]) for row in lost.tolist()]
    return found
