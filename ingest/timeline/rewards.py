"""Rewards find their steps: by key, inside a window, each once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from ingest.timeline.durations import micros
from ingest.timeline.held import Event, Step, event_from_json, event_to_json
from ingest.timeline.spec import Combine, TimelineSpec


class Rewards:
    """Join rewards to steps, which come in order, each kind of reward by itself.

    A reward belongs to the last step of its key before it, if that is within the window; else to the first
    one after it, if that is within `before`.
    """

    def __init__(self, spec: TimelineSpec, joined: Callable[[Event], None], lost: Callable[[Event], None]):
        self._specs = spec.rewards
        self._windows = [micros(reward.window) for reward in spec.rewards]
        self._befores = [micros(reward.before) for reward in spec.rewards]
        self._joined, self._lost = joined, lost
        self._steps: list[dict[str, Step]] = [{} for _ in spec.rewards]  # the last one of each key
        self._waiting: list[dict[str, list[Event]]] = [{} for _ in spec.rewards]
        self._queues: list[deque[Event]] = [deque() for _ in spec.rewards]  # those, in order

    def put(self, event: Event) -> None:
        """Join a reward, or hold it until its step can no more come."""
        place = event.which
        key = event.links[place] or ""
        step = self._steps[place].get(key)
        if step is not None and event.time - step.time <= self._windows[place]:
            self._join(step, event)
        else:
            self._wait(event)

    def _wait(self, event: Event) -> None:
        place = event.which
        self._waiting[place].setdefault(event.links[place] or "", []).append(event)
        self._queues[place].append(event)

    def offer(self, step: Step) -> None:
        """Let a step take the rewards that wait for it, and those to come."""
        for place, key in enumerate(step.links):
            if key is None:
                continue
            self._steps[place][key] = step
            for event in self._waiting[place].pop(key, ()):
                self._join(step, event)

    def forget(self, step: Step) -> None:
        """Let a step take no more."""
        for place, key in enumerate(step.links):
            if key is not None and self._steps[place].get(key) is step:
                del self._steps[place][key]

    def expire(self, clock: int) -> None:
        """Give up the rewards whose step would have come by now."""
        for place, queue in enumerate(self._queues):
            while queue and queue[0].time + self._befores[place] < clock:
                self._give_up(place, queue.popleft())

    def give_up_oldest(self) -> bool:
        """Give up the earliest of those that wait; False where none does."""
        fronts = [(queue[0].time, queue[0].seq, place) for place, queue in enumerate(self._queues) if queue]
        if not fronts:
            return False
        place = min(fronts)[2]
        self._give_up(place, self._queues[place].popleft())
        return True

    def give_up_all(self) -> None:
        """Give up all that wait."""
        while self.give_up_oldest():
            pass

    def _give_up(self, place: int, event: Event) -> None:
        key = event.links[place] or ""
        waiting = self._waiting[place].get(key, [])
        if waiting and waiting[0] is event:  # else its step has come: they leave in order
            waiting.pop(0)
            if not waiting:
                del self._waiting[place][key]
            self._lost(event)

    def _join(self, step: Step, event: Event) -> None:
        combine = self._specs[event.which].combine
        step.joined[event.which] = combined(combine, step.joined[event.which], event.value)
        self._joined(event)

    def to_json(self) -> dict[str, Any]:
        """Write the rewards that wait as JSON takes them, and by number the steps that may take more."""
        return {
            "waiting": [
                event_to_json(event) for queue in self._queues for event in queue if self._waits(event)
            ],
            "steps": [{key: step.seq for key, step in steps.items()} for steps in self._steps],
        }

    def _waits(self, event: Event) -> bool:
        held = self._waiting[event.which].get(event.links[event.which] or "", ())
        return any(one is event for one in held)

    def restore(self, content: Mapping[str, Any], steps: Mapping[int, Step]) -> None:
        """Read what `to_json` wrote; `steps` are those held, by their number."""
        for event in map(event_from_json, content["waiting"]):
            self._wait(event)
        self._steps = [{key: steps[seq] for key, seq in named.items()} for named in content["steps"]]


def combined(how: Combine, before: float | None, value: float) -> float:
    """Return what a step has after another reward of the same kind."""
    if how == "sum":
        return (0.0 if before is None else before) + value
    if before is None or how == "last":
        return value
    return before if how == "first" else max(before, value)
