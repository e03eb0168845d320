"""The timeline over a stream: events in, settled steps out, as much as the watermark allows."""

from __future__ import annotations

import heapq

from ingest.records import Mapped, Refused
from ingest.timeline.arrivals import arrivals
from ingest.timeline.durations import micros
from ingest.timeline.events import END, FAULTY, IGNORED, STEP, UNTIMED, Events, read_events
from ingest.timeline.held import Event, Load, Step
from ingest.timeline.order import Order
from ingest.timeline.plans import plan_of
from ingest.timeline.refusals import end_without_step, late, reward_without_step, weight_of_raw
from ingest.timeline.released import NOWHERE, Released, assemble
from ingest.timeline.report import TimelineReport
from ingest.timeline.rewards import Rewards
from ingest.timeline.sessions import Sessions
from ingest.timeline.spec import TimelineSpec
from ingest.timeline.state import read_state, write_state
from ingest.timeline.store import Store
from schemas.archive_spec import ArchiveSpec
from schemas.step import wire_schema


class Timeline:
    """Turn the events of one partition into steps, as they come.

    What is released depends on the events and their order alone, not on how they were batched nor on any
    clock. What is held is bounded by the spec's limits; `state` writes it, and `restore` reads it back.
    """

    def __init__(self, spec: TimelineSpec, archive: ArchiveSpec) -> None:
        self._spec = spec
        self._archive = archive
        self._window = micros(spec.window)
        self._order = Order(micros(spec.lateness))
        self._sessions = Sessions(spec, self._ripen)
        self._rewards = Rewards(spec, self._joined, self._lost)
        self._ripe: list[tuple[int, int, Step]] = []  # a heap: the earliest first
        self._load = Load()
        self._store = Store(wire_schema(archive).empty_table())
        self._report = TimelineReport()
        self._done: list[Step] = []
        self._refused: list[Refused] = []

    @property
    def held(self) -> int:
        """How many events are held: for their place, for what follows them, or for rewards."""
        return self._load.events

    def feed(self, mapped: Mapped) -> Released:
        """Take events, and return what is settled by them.

        Raise SpecError or StepsError for columns that do not fit the timeline or the archive; then nothing
        was taken.
        """
        events = read_events(mapped, self._spec, self._archive)
        first = self._store.add(events.payload)
        ids = events.event_id.to_pylist()
        for refused in mapped.refused:
            self._refuse(refused)
        for place, event in enumerate(arrivals(events, first)):
            self._take(place, event, ids[place], events)
        self._report.events += len(events) + len(mapped.refused)
        return self._release()

    def close(self) -> Released:
        """End every session here, truncated, and return all that was held.

        Only what comes at or after the largest time seen is not late from now on.
        """
        self._order.finish()
        self._settle()
        self._sessions.close_all()
        self._rewards.give_up_all()
        while self._ripe:
            self._let_go()
        return self._release()

    def _take(self, place: int, event: Event, event_id: str | None, events: Events) -> None:
        role = event.role
        if role == UNTIMED:
            self._refuse(Refused(events.raw(place), *events.faults[place]))
            return
        before = self._order.see(event.time)
        if role == FAULTY:
            self._refuse(Refused(events.raw(place), *events.faults[place]))
        elif role == IGNORED:
            self._report.ignored += 1
        elif event.time < before:
            self._refuse(late(events.raw(place), event.time, before))
        elif event_id is not None and self._order.repeats(event_id, event.time, before):
            self._report.duplicates += 1
        else:
            if role != STEP:
                event.raw = events.raw(place)
                event.size = weight_of_raw(event.raw)
            self._load.add(event.size)
            self._order.put(event)
        # An event of the very time of the watermark has its place at once.
        if self._order.watermark > before or event.time == before:
            self._settle()
        self._relieve()

    def _settle(self) -> None:
        """Give events that found their place to their session, and let go of what is done."""
        for event in self._order.settled():
            self._place(event)
        clock = self._order.watermark
        self._sessions.expire(clock)
        self._rewards.expire(clock)
        while self._ripe and self._ripe[0][0] + self._window < clock:
            self._let_go()

    def _place(self, event: Event) -> None:
        self._sessions.expire(event.time)
        self._rewards.expire(event.time)
        if event.role == STEP:
            self._rewards.offer(self._sessions.step(event, self._report))
        elif event.role == END:
            self._load.drop(event.size)
            if self._sessions.end(event):
                self._report.ends += 1
            else:
                self._refuse(end_without_step(event.raw, event.time))
        else:
            self._rewards.put(event)

    def _ripen(self, step: Step) -> None:
        heapq.heappush(self._ripe, (step.time, step.seq, step))

    def _joined(self, reward: Event) -> None:
        self._load.drop(reward.size)
        self._report.rewards += 1

    def _lost(self, reward: Event) -> None:
        self._load.drop(reward.size)
        self._refuse(reward_without_step(reward.raw, reward.time))

    def _let_go(self) -> None:
        """Release the earliest step that is ripe."""
        _, _, step = heapq.heappop(self._ripe)
        self._rewards.forget(step)
        self._load.drop(step.size)
        if step.folded:
            self._report.folded += 1
        else:
            self._done.append(step)

    def _relieve(self) -> None:
        """Keep the limits, at the cost of what is oldest: see `docs/timeline.md`."""
        load, spec = self._load, self._spec
        while load.events > spec.max_events or load.size > spec.max_bytes:
            self._report.hurried += 1
            if self._ripe:
                self._let_go()
            elif self._sessions.close_oldest():
                pass
            elif self._order:
                self._order.hurry()
                self._settle()
            elif not self._rewards.give_up_oldest():
                return

    def _refuse(self, refused: Refused) -> None:
        self._refused.append(refused)
        self._report.refused[refused.reason] += 1

    def _release(self) -> Released:
        """Hand out what has gathered, and pack the store when it pays."""
        steps = assemble(self._store.table, plan_of(self._done, self._spec), self._spec)
        self._report.steps += len(self._done)
        released = Released(steps, tuple(self._refused), self._report)
        self._done, self._refused, self._report = [], [], TimelineReport()
        if self._store.is_sparse(self._load.events):
            self._pack()
        return released

    def _pack(self) -> None:
        steps, events = self._held_steps(), list(self._order.held())
        live = [row for step in steps for row in (step.row, step.next_row)] + [event.row for event in events]
        number = self._store.pack([row for row in live if row != NOWHERE])
        for step in steps:
            step.row = number[step.row]
            step.next_row = number.get(step.next_row, NOWHERE)
        for event in events:
            event.row = number.get(event.row, NOWHERE)

    def _held_steps(self) -> list[Step]:
        return [*(step for _, _, step in self._ripe), *self._sessions.held()]

    def state(self) -> bytes:
        """Write what is held, exactly, so that `restore` goes on as if nothing had been."""
        self._pack()
        control = {
            "order": self._order.to_json(),
            "sessions": self._sessions.to_json(),
            "rewards": self._rewards.to_json(),
            "ripe": [step.seq for _, _, step in self._ripe],
            "load": [self._load.events, self._load.size],
        }
        return write_state(control, self._held_steps(), self._store.table)

    @classmethod
    def restore(cls, state: bytes, spec: TimelineSpec, archive: ArchiveSpec) -> Timeline:
        """Read what `state` wrote, for the same spec; raise DataError where the bytes are not whole."""
        control, steps, payload = read_state(state)
        timeline = cls(spec, archive)
        timeline._store = Store(payload)
        timeline._order = Order.from_json(control["order"], micros(spec.lateness))
        timeline._sessions.restore(control["sessions"], steps)
        timeline._rewards.restore(control["rewards"], steps)
        for seq in control["ripe"]:
            timeline._ripen(steps[seq])
        timeline._load = Load(*control["load"])
        return timeline
