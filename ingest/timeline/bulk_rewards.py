"""In bulk: rewards find their steps by key and by their place in the order, with one search each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.timeline.bulk_order import Mask, Ordered, codes_of
from ingest.timeline.durations import micros
from ingest.timeline.events import REWARD, STEP, Events
from ingest.timeline.released import NOWHERE
from ingest.timeline.spec import Combine, TimelineSpec

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Hold what rewards brought to the rows of the payload, and which step each went to."""

    value: NDArray[np.float64]  # (rows, rewards)
    came: Mask  # (rows, rewards)
    step: Places  # (N,) the event of the step, or NOWHERE


def join_rewards(events: Events, ordered: Ordered, spec: TimelineSpec) -> Joined:
    """Join the accepted rewards to the accepted steps."""
    shape = events.payload.num_rows, len(spec.rewards)
    joined = Joined(np.zeros(shape), np.zeros(shape, dtype=bool), np.full(len(events), NOWHERE, np.int64))
    place, role = ordered.place, events.role[ordered.place]
    for number, reward in enumerate(spec.rewards):
        steps = place[role == STEP]
        steps = steps[np.asarray(events.keys[number].is_valid())[steps]]
        rewards = place[(role == REWARD) & (events.which[place] == number)]
        found = _search(events, ordered, number, steps, rewards, micros(reward.window), micros(reward.before))
        joined.step[rewards] = found
        taken = found != NOWHERE
        rows = events.payload_row[found[taken]]
        _combine(reward.combine, joined.value[:, number], rows, events.value[rewards[taken]])
        joined.came[rows, number] = True
    return joined


def _search(
    events: Events,
    ordered: Ordered,
    number: int,
    steps: Places,
    rewards: Places,
    window: int,
    before: int,
) -> Places:
    """Return the step of each reward: the last before it inside the window, else the first after it."""
    if not len(steps) or not len(rewards):
        return np.full(len(rewards), NOWHERE, np.int64)
    both = np.concatenate([steps, rewards])
    # One number for key and place: sorted, the neighbours of a reward are the steps around it.
    at = codes_of(events.keys[number].take(pa.array(both))) * (len(ordered.place) + 1) + ordered.rank[both]
    of_key = at // (len(ordered.place) + 1)
    order = np.argsort(at[: len(steps)])
    steps, step_at, step_key = steps[order], at[: len(steps)][order], of_key[: len(steps)][order]
    reward_key, time = of_key[len(steps) :], events.time[rewards]
    place = np.searchsorted(step_at, at[len(steps) :])
    found = np.full(len(rewards), NOWHERE, np.int64)
    for neighbour, earliest, latest in ((place, 0, before), (place - 1, -window, 0)):  # the last one counts
        inside = np.clip(neighbour, 0, len(steps) - 1)
        apart = events.time[steps[inside]] - time
        fits = (neighbour == inside) & (step_key[inside] == reward_key)
        fits &= (apart >= earliest) & (apart <= latest)
        found[fits] = steps[inside[fits]]
    return found


def _combine(how: Combine, column: NDArray[np.float64], rows: Places, values: NDArray[np.float64]) -> None:
    """Combine the values of each row, which come in order, in that order."""
    match how:
        case "sum":
            np.add.at(column, rows, values)
        case "max":
            column[rows] = -np.inf
            np.maximum.at(column, rows, values)
        case "first":
            column[rows[::-1]] = values[::-1]
        case "last":
            column[rows] = values
