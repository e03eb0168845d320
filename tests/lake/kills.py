"""Kill whoever changes a lake on a disk before one of its changes: nothing of what comes after is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pytest

from lake.commits import CommitLog
from lake.stores.local import LocalStore


class Killed(BaseException):
    """Stand for a kill: no handler of errors takes it."""


class Kill:
    """Count changes, and kill before the one of a number; from then on nothing changes any more."""

    def __init__(self, at: int | None) -> None:
        self._at = at
        self.count = 0

    def before_change(self) -> None:
        if self._at is not None and self.count >= self._at:
            raise Killed
        self.count += 1


@contextmanager
def killed_before(change: int | None) -> Iterator[Kill]:
    """Kill what runs in the block before it has made so many changes; with None only count them.

    A file that is being written is left torn, and what was done is left as a kill would leave it.
    """
    kill = Kill(change)
    create = LocalStore.create

    @contextmanager
    def torn(self: LocalStore, name: str) -> Iterator[BinaryIO]:
        with create(self, name) as file:
            yield file
            file.flush()
        path = self.folder / name
        whole = path.read_bytes()
        try:
            kill.before_change()
        except Killed:
            path.write_bytes(whole[: len(whole) // 2])
            raise

    def guarded(method: Any) -> Any:
        def changed(*args: Any, **kwargs: Any) -> Any:
            kill.before_change()
            return method(*args, **kwargs)

        return changed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalStore, "create", torn)
        changes = [(LocalStore, "write"), (LocalStore, "write_once"), (LocalStore, "remove")]
        for owner, name in [*changes, (CommitLog, "_write")]:
            patch.setattr(owner, name, guarded(getattr(owner, name)))
        yield kill
