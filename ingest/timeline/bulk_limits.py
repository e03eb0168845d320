"""In bulk: would the timeline over a stream have met one of its limits?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.timeline.bulk_order import Ordered
from ingest.timeline.bulk_rewards import Joined
from ingest.timeline.bulk_sessions import Cut, Places
from ingest.timeline.durations import micros
from ingest.timeline.events import REWARD, STEP, Events
from ingest.timeline.refusals import EVENT_BYTES, MOST_RAW, weight_of_raw
from ingest.timeline.released import NOWHERE
from ingest.timeline.spec import TimelineSpec


def exceeds_limits(events: Events, ordered: Ordered, cut: Cut, joined: Joined, spec: TimelineSpec) -> bool:
    """Say whether a limit would have been met; then the events have to be taken one by one."""
    return _too_many_sessions(events, ordered, cut, spec) or _too_much_held(
        events, ordered, cut, joined, spec
    )


def _too_many_sessions(events: Events, ordered: Ordered, cut: Cut, spec: TimelineSpec) -> bool:
    """Count the open sessions whenever one begins, in the order of events."""
    if len(cut.first) <= spec.max_sessions:
        return False
    begins = np.sort(ordered.rank[cut.event[cut.first]])
    ended = cut.closed_at != NOWHERE
    ends = np.sort(ordered.rank[cut.event[cut.closed_at[ended]]])
    silent = events.time[cut.event[cut.last_step[~ended]]] + micros(spec.timeout)
    silences = np.sort(np.searchsorted(events.time[ordered.place], silent, "right"))
    still_open = np.arange(1, len(begins) + 1)
    still_open -= np.searchsorted(ends, begins, "left") + np.searchsorted(silences, begins, "right")
    return bool(still_open.max() > spec.max_sessions)


def _too_much_held(events: Events, ordered: Ordered, cut: Cut, joined: Joined, spec: TimelineSpec) -> bool:
    """Follow what is held after each arrival."""
    size = np.full(len(events), EVENT_BYTES + MOST_RAW, np.int64)
    steps = events.payload_row >= 0
    size[steps] = events.payload_size[events.payload_row[steps]] + EVENT_BYTES
    if len(ordered.place) <= spec.max_events and size[ordered.place].sum() <= spec.max_bytes:
        return False
    gone = _gone(events, ordered, cut, joined, spec)
    if _peak(ordered.place, gone, np.ones(len(events), np.int64)) > spec.max_events:
        return True
    if _peak(ordered.place, gone, size) <= spec.max_bytes:
        return False
    for event in ordered.place[~steps[ordered.place]].tolist():  # bounded above so far; now as they are
        size[event] = weight_of_raw(events.raw(event))
    return _peak(ordered.place, gone, size) > spec.max_bytes


def _peak(accepted: Places, gone: Places, weight: NDArray[np.int64]) -> int:
    """Return the most that is held after any arrival."""
    change = np.zeros(len(weight) + 1, np.int64)
    np.add.at(change, accepted, weight[accepted])
    np.add.at(change, gone[accepted], -weight[accepted])
    return int(np.cumsum(change[:-1]).max(initial=0))


def _gone(events: Events, ordered: Ordered, cut: Cut, joined: Joined, spec: TimelineSpec) -> Places:
    """Return for each event the arrival after which it is no more held; N where it is to the end."""
    arrival = np.arange(len(events))

    def passed(time: Places) -> Places:
        return np.searchsorted(ordered.after, time, "right").astype(np.int64)

    settled = np.maximum(np.searchsorted(ordered.after, events.time, "left"), arrival)
    gone = settled.copy()
    befores = np.array([micros(reward.before) for reward in spec.rewards] + [0])
    rewards = np.flatnonzero(events.role == REWARD)
    lost = rewards[joined.step[rewards] == NOWHERE]
    gone[lost] = np.maximum(settled[lost], passed(events.time[lost] + befores[events.which[lost]]))
    found = rewards[joined.step[rewards] != NOWHERE]
    gone[found] = np.maximum(settled[found], settled[joined.step[found]])

    closed = np.where(
        cut.closed_at != NOWHERE,
        settled[cut.event[cut.closed_at]],
        passed(events.time[cut.event[cut.last_step]] + micros(spec.timeout)),
    )
    closed = np.maximum(closed, settled[cut.event[cut.last_step]])
    is_step = events.role[cut.event] == STEP
    followed = np.full(len(cut.event), len(events), np.int64)  # when the next but one of the session came
    followed[:-2] = settled[cut.event[2:]]
    group = np.searchsorted(cut.first, np.arange(len(cut.event)), "right") - 1
    of_step = group[is_step]
    places = np.flatnonzero(is_step)
    inner = places + 2 <= cut.last_step[of_step]
    known = np.where(inner, followed[is_step], closed[of_step])
    steps = cut.event[is_step]
    gone[steps] = np.maximum(known, passed(events.time[steps] + micros(spec.window)))
    return gone
