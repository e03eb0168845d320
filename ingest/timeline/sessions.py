"""Sessions: events of one key in order, cut by ends and by silence."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from ingest.timeline.durations import micros
from ingest.timeline.held import Event, Key, Session, Step
from ingest.timeline.order import BEGINNING
from ingest.timeline.report import TimelineReport
from ingest.timeline.spec import TimelineSpec


class Sessions:
    """Number the steps of sessions, and settle how each one ends.

    Events come in order. `ripe` hears of each step whose followers are known, those of a session in order.
    """

    def __init__(self, spec: TimelineSpec, ripe: Callable[[Step], None]) -> None:
        self._timeout = micros(spec.timeout)
        self._gap = BEGINNING if spec.gap is None else micros(spec.gap)
        self._folds = spec.last_step == "fold"
        self._limit = spec.max_sessions
        self._kinds_of_reward = len(spec.rewards)
        self._ends = spec.ends
        self._ripe = ripe
        self._open: OrderedDict[Key, Session] = OrderedDict()  # by their last event, the oldest first
        self._now = BEGINNING
        self._begun: dict[Key, int] = {}  # how many of a key began at this very time

    def step(self, event: Event, report: TimelineReport) -> Step:
        """Add a step to its session, or begin one; return it."""
        key = event.key
        assert key is not None  # noqa: S101  # of every step
        session = self._open.get(key)
        if session is None:
            step = self._begin(key, event, report)
        else:
            step = self._follow(session, event)
            self._open.move_to_end(key)
        if any(event.flags):
            self._close(key, *event.flags)
        return step

    def _begin(self, key: Key, event: Event, report: TimelineReport) -> Step:
        if event.time != self._now:
            self._now, self._begun = event.time, {}
        ordinal = self._begun.get(key, 0)
        self._begun[key] = ordinal + 1
        step = self._made(event, event.time, ordinal, 0)
        self._open[key] = Session(step)
        report.sessions += 1
        if len(self._open) > self._limit:
            self.close_oldest()
            report.hurried += 1
        return step

    def _follow(self, session: Session, event: Event) -> Step:
        last = session.last
        self._note_gap(last, event.time)
        if session.before is not None:
            self._ripe(session.before)
        step = self._made(event, last.start, last.ordinal, last.number + 1)
        session.before, session.last = last, step
        return step

    def _made(self, event: Event, start: int, ordinal: int, number: int) -> Step:
        return Step(
            time=event.time,
            seq=event.seq,
            session=event.key[2] if event.key else "",
            start=start,
            ordinal=ordinal,
            number=number,
            links=event.links,
            size=event.size,
            row=event.row,
            flags=event.flags,
            has_next=event.has_next,
            joined=[None] * self._kinds_of_reward,
        )

    def _note_gap(self, step: Step, time: int) -> None:
        silence = time - step.time
        if self._gap != BEGINNING and silence > self._gap:
            step.gap = silence

    def end(self, event: Event) -> bool:
        """End the event's session as its kind says; False where none is open."""
        session = self._open.get(event.key) if event.key else None
        if session is None or event.key is None:
            return False
        self._note_gap(session.last, event.time)
        terminated = self._ends[event.which].terminated
        self._close(event.key, terminated, not terminated)
        return True

    def expire(self, clock: int) -> None:
        """Truncate the sessions that have been silent for longer than the time-out."""
        while self._open:
            key, session = next(iter(self._open.items()))
            if session.last.time + self._timeout >= clock:
                return
            self._close(key, False, True)

    def close_oldest(self) -> bool:
        """Truncate the session that has been silent for longest; False where none is open."""
        if not self._open:
            return False
        self._close(next(iter(self._open)), False, True)
        return True

    def close_all(self) -> None:
        """Truncate every session."""
        while self.close_oldest():
            pass

    def _close(self, key: Key, terminated: bool, truncated: bool) -> None:
        """Settle the end. No transition is made up: a truncated step must know what came after it."""
        session = self._open.pop(key)
        last, before = session.last, session.before
        if terminated or last.has_next:
            last.flags = (terminated, truncated)
        else:
            last.flags = (False, False)
            if self._folds and before is not None:
                last.folded = True
                before.flags = (False, True)
                if not before.has_next:
                    before.next_row = last.row
        if before is not None:
            self._ripe(before)
        self._ripe(last)

    def to_json(self) -> dict[str, Any]:
        """Write what is open as JSON takes it; steps are named by their number."""
        return {
            "open": [
                [*key, session.last.seq, None if session.before is None else session.before.seq]
                for key, session in self._open.items()
            ],
            "now": self._now,
            "begun": [[*key, count] for key, count in self._begun.items()],
        }

    def restore(self, content: Mapping[str, Any], steps: Mapping[int, Step]) -> None:
        """Read what `to_json` wrote; `steps` are those held, by their number."""
        for source, agent, name, last, before in content["open"]:
            session = Session(steps[last], None if before is None else steps[before])
            self._open[source, agent, name] = session
        self._now = content["now"]
        self._begun = {(source, agent, name): count for source, agent, name, count in content["begun"]}

    def held(self) -> list[Step]:
        """Return the steps whose followers are not known yet."""
        sessions = self._open.values()
        return [step for session in sessions for step in (session.before, session.last) if step is not None]
