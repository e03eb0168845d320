"""What a forked child must leave to its parent: its threads are gone, and connections are shared."""

from __future__ import annotations

import os
import weakref
from functools import cache
from typing import Protocol


class Left(Protocol):
    """Something that only the process that made it may use."""

    def leave_to_parent(self) -> None:
        """Become unusable; called in the child, where other threads are gone and locks may be held."""


def leave_after_fork(thing: Left) -> None:
    """Have `leave_to_parent` called in every child that is forked while the thing lives."""
    _left().add(thing)


@cache
def _left() -> weakref.WeakSet[Left]:
    things: weakref.WeakSet[Left] = weakref.WeakSet()

    def leave() -> None:
        for thing in list(things):
            thing.leave_to_parent()
        things.clear()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=leave)
    return things
