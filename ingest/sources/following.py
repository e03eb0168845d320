"""Following: files that grow, are rotated, and come anew, until somebody says stop."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import BinaryIO

from ingest.sources.byte_stream import STDIN
from ingest.sources.finding import find_files
from ingest.sources.ledger import Known
from ingest.sources.publishing import FilePublisher, PublishReport
from schemas.errors import DataError, NotFoundError, UsageError

INTERVAL = 0.5  # seconds between two looks
_MOST_OPEN = 256  # files
_LOG = logging.getLogger("replaylake.sources")
_Seen = tuple[int, int, int]


def follow_files(
    publisher: FilePublisher,
    paths: Sequence[str],
    stop: threading.Event,
    *,
    any_name: bool = False,
    interval: float = INTERVAL,
    on_turn: Callable[[PublishReport], None] = lambda report: None,
) -> PublishReport:
    """Publish what files have and what is written to them, until `stop` is set.

    New files in a folder, or of a pattern, are followed, too. A line is read once it has its newline. A file
    that was renamed is read to its end before the one that has taken its name; the copy beside one that was
    truncated is read to its end, too. `on_turn` hears of every turn, once what it read is durable. Raise
    UsageError for what cannot be read from the start; of what comes later that is logged.
    """
    if STDIN in paths:
        raise UsageError(
            "Standard input cannot be followed.", hint="Leave --follow out: it is read to its end."
        )
    tails: dict[str, _Tail] = {}
    find_files([path for path in paths if not _may_come(path)])  # what is not there is told at once
    for file in _present(paths, any_name):
        publisher.check(file)
    try:
        while True:
            for file in _present(paths, any_name):
                if file not in tails:
                    tails[file] = _Tail(file, publisher)
            before = publisher.report.records
            for tail in list(tails.values()):
                tail.turn()
            _let_go_of_some(tails)
            publisher.flush()
            on_turn(publisher.report)
            if stop.is_set():
                return publisher.report
            if publisher.report.records == before:
                stop.wait(interval)
    finally:
        for tail in tails.values():
            tail.let_go()


class _Tail:
    """Follow one name, and the file that it named until another took its place."""

    def __init__(self, path: str, publisher: FilePublisher) -> None:
        self.path = path
        self._publisher = publisher
        self._file: BinaryIO | None = None
        self._seen: _Seen | None = None
        self._known: Known | None = None
        self._is_growing: bool | None = None
        self._unknown: _Seen | None = None  # as it was when nobody could tell what it is

    @property
    def is_open(self) -> bool:
        return self._file is not None

    def turn(self) -> None:
        """Publish what is new; what does not read is told, and looked at again when it has changed."""
        try:
            if self._is_growing is None:
                self._is_growing = self._tell()
            if self._is_growing is not None:
                self._turn_growing() if self._is_growing else self._turn_whole()
        except (DataError, NotFoundError) as exc:
            _LOG.warning("%s", exc)

    def _tell(self) -> bool | None:
        """Say whether the file can be read while it grows; None where nobody can tell yet."""
        if not os.path.exists(self.path) or not os.path.getsize(self.path):
            return None
        now = _seen(os.stat(self.path))
        if now == self._unknown:
            return None
        try:
            return self._publisher.is_growing(self.path)
        except UsageError as exc:
            self._unknown = now
            _LOG.warning("left out: %s", exc)
            return None

    def _turn_growing(self) -> None:
        if self._file is None and os.path.exists(self.path):
            self._file = open(self.path, "rb", buffering=0)
        if self._file is None:
            return
        mine = os.fstat(self._file.fileno())
        replaced = self._is_replaced(mine)
        if replaced or _seen(mine) != self._seen:
            self._seen = _seen(mine)
            self._read(partial=not replaced)
        if replaced:
            self.let_go()
            self._known = None
            self._turn_growing()

    def _turn_whole(self) -> None:
        """Publish a file that is written once: when it has stayed as it is from one look to the next."""
        if not os.path.exists(self.path):
            return
        now = _seen(os.stat(self.path))
        settled, self._seen = now == self._seen, now
        if settled and self._known is None:
            self._known = self._publisher.publish_one(self.path)
        elif not settled:
            self._known = None

    def _read(self, *, partial: bool) -> None:
        before = self._known
        known = self._publisher.publish_one(self.path, self._file, partial=partial)
        if before is not None and known is not before:
            self._read_copy(before)
        self._known = known

    def _read_copy(self, known: Known) -> None:
        """Read the rest of a file that was copied and truncated, from the copy beside it."""
        folder, name = os.path.split(self.path)
        for sibling in sorted(os.listdir(folder or ".")):
            path = os.path.join(folder, sibling)
            is_copy = sibling != name and sibling.startswith(name.split(".")[0]) and os.path.isfile(path)
            try:
                if is_copy and self._publisher.goes_on(path, known):
                    return
            except (DataError, UsageError) as exc:
                _LOG.debug("not the copy: %s", exc)

    def _is_replaced(self, mine: os.stat_result) -> bool:
        """Say whether the name stands for another file now, to which its writer has turned."""
        try:
            other = os.stat(self.path)
        except OSError:
            return False
        return (other.st_ino, other.st_dev) != (mine.st_ino, mine.st_dev) and other.st_size > 0

    def let_go(self) -> None:
        """Close the file; it is opened again by its name."""
        if self._file is not None:
            self._file.close()
        self._file = self._seen = None


def _seen(status: os.stat_result) -> _Seen:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _may_come(path: str) -> bool:
    """Say whether files may come to a path: a folder's, or those of a pattern."""
    return os.path.isdir(path) or any(sign in path for sign in "*?[")


def _present(paths: Sequence[str], any_name: bool) -> list[str]:
    found: list[str] = []
    for path in paths:
        try:
            found += find_files([path], any_name=any_name)
        except NotFoundError:
            continue  # it may come
    return found


def _let_go_of_some(tails: dict[str, _Tail]) -> None:
    """Keep few files open: those that were named last."""
    for tail in [tail for tail in tails.values() if tail.is_open][:-_MOST_OPEN]:
        tail.let_go()
