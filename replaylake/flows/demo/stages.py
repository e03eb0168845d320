"""The stages of the demo: who is told of them, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from lake import Snapshot
from replaylake.flows.demo.figures import Figures, Landed, Played, Scores
from replaylake.flows.demo.queries import Answer

Part = Played | Landed | tuple[Answer, ...] | Snapshot | Scores | Figures
Report = Callable[[float, str], None]  # how much is done, and a few words on how it goes


class Audience(Protocol):
    """Whoever is told how the demo goes."""

    def watch(self, what: str, total: float | None = None) -> AbstractContextManager[Report]:
        """Show that something lasts."""

    def show(self, part: Part) -> None:
        """Show what was found, as soon as it was."""


@dataclass(frozen=True)
class Stages:
    """Take the time of each stage, and pass on what the audience is to see."""

    audience: Audience
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, what: str, total: float | None = None) -> Iterator[Report]:
        """Time what is done within, while the audience watches it."""
        begin = time.perf_counter()
        with self.audience.watch(what, total) as report:
            yield report
        self.seconds[name] = time.perf_counter() - begin

    def show(self, part: Part) -> None:
        """Show a part to the audience."""
        self.audience.show(part)
