"""A plain model of an archive: where each event stands after ingests and replays."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.quarantine.samples import Origin

Event = tuple[int, int, float] | None  # number, action and reward; None is garbage


@dataclass
class Held:
    """Hold a row of quarantine."""

    origin: Origin
    event: Event
    reasons: set[str]
    resolved: str | None = None


@dataclass
class Model:
    """Follow events one by one."""

    limit: float = 50
    sent: int = 0
    steps: dict[int, tuple[Origin, Event]] = field(default_factory=dict)  # by key
    held: list[Held] = field(default_factory=list)
    dropped: Counter[Origin] = field(default_factory=Counter)

    def ingest(self, events: list[Event]) -> None:
        """Land events, or put them into quarantine."""
        for event in events:
            origin = (0, self.sent, 0)
            self.sent += 1
            said = self._lands(origin, event)
            if said == {"duplicate"}:
                self.dropped[origin] += 1
            elif said:
                self.held.append(Held(origin, event, said))

    def replay(self, reason: str | None, limit: int | None) -> None:
        """Try rows of quarantine again, in order."""
        open_ = [row for row in self.held if not row.resolved and reason in (None, *row.reasons)]
        for row in open_[:limit]:
            said = self._lands(row.origin, row.event)
            if not said:
                row.resolved = "landed"
            elif said == {"duplicate"}:
                row.resolved = "duplicate"

    def _lands(self, origin: Origin, event: Event) -> set[str]:
        """Land an event, or say why not."""
        if event is None:
            return {"undecodable"}
        number, action, reward = event
        said = {"in_space(action)"} if action not in (0, 1) else set()
        if reward > self.limit:
            said.add("between(reward)")
        if said:
            return said
        if number in self.steps:
            return {"duplicate" if self.steps[number][1] == event else "key_conflict"}
        self.steps[number] = (origin, event)
        return set()

    def landed(self) -> Counter[Origin]:
        """Return the origins of the steps."""
        return Counter(origin for origin, _ in self.steps.values())

    def quarantined(self, resolved: str | None) -> Counter[Origin]:
        """Return the origins of the rows of quarantine that were resolved so, or not."""
        return Counter(row.origin for row in self.held if row.resolved == resolved)
