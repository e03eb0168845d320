"""What the timeline holds of a stream: events on their way to their place, and steps on their way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from ingest.timeline.released import NOWHERE

Key = tuple[str, str, str]  # source, agent and session


@dataclass(slots=True)
class Event:
    """Hold an event that was neither late nor refused."""

    time: int
    seq: int  # how many came before it
    role: int
    which: int
    key: Key | None  # of steps and ends
    links: tuple[str | None, ...]  # of steps and rewards, for each entry of `rewards`
    size: int
    row: int  # of a step's payload
    flags: tuple[bool, bool]  # what a step says itself: terminated, truncated
    has_next: bool  # a step that knows the observation after it
    value: float  # of a reward
    raw: bytes  # of what may still be refused


@dataclass(slots=True)
class Step:
    """Hold a step until it is settled: its followers and its rewards are known."""

    time: int
    seq: int
    session: str
    start: int
    ordinal: int
    number: int
    links: tuple[str | None, ...]
    size: int
    row: int
    flags: tuple[bool, bool]
    has_next: bool
    joined: list[float | None]  # what each entry of `rewards` brought
    next_row: int = NOWHERE
    gap: int = 0
    folded: bool = False  # only its observation goes on


@dataclass(slots=True)
class Session:
    """Hold an open session: its last two steps, whose fate its end decides."""

    last: Step
    before: Step | None = None


@dataclass(slots=True)
class Load:
    """Measure what is held."""

    events: int = 0
    size: int = 0

    def add(self, size: int) -> None:
        """Note that one more is held."""
        self.events += 1
        self.size += size

    def drop(self, size: int) -> None:
        """Note that one of them has gone."""
        self.events -= 1
        self.size -= size


_event_fields = attrgetter(*(field.name for field in fields(Event)))
_step_fields = attrgetter(*(field.name for field in fields(Step)))


def event_to_json(event: Event) -> list[Any]:
    """Write an event as JSON takes it, exactly."""
    *values, value, raw = _event_fields(event)
    return [*values, value.hex(), raw.decode("latin-1")]


def event_from_json(content: Sequence[Any]) -> Event:
    """Read an event as `event_to_json` wrote it."""
    time, seq, role, which, key, links, size, row, flags, has_next, value, raw = content
    return Event(
        time,
        seq,
        role,
        which,
        None if key is None else tuple(key),
        tuple(links),
        size,
        row,
        tuple(flags),
        has_next,
        float.fromhex(value),
        raw.encode("latin-1"),
    )


def step_to_json(step: Step) -> list[Any]:
    """Write a step as JSON takes it, exactly."""
    *values, joined, next_row, gap, folded = _step_fields(step)
    return [*values, [None if value is None else value.hex() for value in joined], next_row, gap, folded]


def step_from_json(content: Sequence[Any]) -> Step:
    """Read a step as `step_to_json` wrote it."""
    time, seq, session, start, ordinal, number, links, size, row, flags, has_next, joined, *rest = content
    values = [None if value is None else float.fromhex(value) for value in joined]
    return Step(
        time,
        seq,
        session,
        start,
        ordinal,
        number,
        tuple(links),
        size,
        row,
        tuple(flags),
        has_next,
        values,
        *rest,
    )
