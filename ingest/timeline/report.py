"""What the timeline did, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class TimelineReport:
    """Count what became of events. Every event is counted; what is held is in none of the others yet."""

    events: int = 0
    steps: int = 0
    rewards: int = 0  # joined to a step
    ends: int = 0
    ignored: int = 0  # of a kind that the spec ignores
    duplicates: int = 0  # repeated within the lateness
    folded: int = 0  # last steps of truncated sessions, of which only the observation is kept
    refused: Counter[str] = field(default_factory=Counter)  # by reason
    sessions: int = 0  # that began
    hurried: int = 0  # times that a limit closed a session, ended a wait or moved the watermark

    def add(self, other: TimelineReport) -> None:
        """Add what another run did."""
        self.events += other.events
        self.steps += other.steps
        self.rewards += other.rewards
        self.ends += other.ends
        self.ignored += other.ignored
        self.duplicates += other.duplicates
        self.folded += other.folded
        self.refused.update(other.refused)
        self.sessions += other.sessions
        self.hurried += other.hurried

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON-ready values."""
        return {
            "events": self.events,
            "steps": self.steps,
            "rewards": self.rewards,
            "ends": self.ends,
            "ignored": self.ignored,
            "duplicates": self.duplicates,
            "folded": self.folded,
            "refused": self.refused.total(),
            "reasons": dict(self.refused.most_common()),
            "sessions": self.sessions,
            "hurried": self.hurried,
        }

    def __str__(self) -> str:
        lines = [f"{self.events:,} events, {self.steps:,} steps, {self.refused.total():,} refused"]
        lines.extend(f"  {count:>9,}  {reason}" for reason, count in self.refused.most_common())
        return "\n".join(lines)
