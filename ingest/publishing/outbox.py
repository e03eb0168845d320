"""What was published and is not durable yet, and the thread that sends it.

One lock guards everything. The thread that publishes only appends; encoding, sending and waiting for the
stream are the outbox's own thread's, the only one that meets the producer.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, NamedTuple

import pyarrow as pa

from ingest.publishing.forks import leave_after_fork
from ingest.publishing.limits import Limits, Linger
from ingest.publishing.outgoing import Sender
from ingest.publishing.trouble import Trouble
from schemas.errors import StreamError

_log = logging.getLogger(__name__)


class Ticket(NamedTuple):
    """Remember what a flush waits for."""

    rows: int
    failures: int


class _State(Enum):
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    FORKED = "forked"


class Outbox:
    """Hold steps until the stream has them. Threads may share it.

    `tables` makes tables of what `put` was given, in the outbox's thread.
    """

    def __init__(
        self,
        sender: Sender,
        tables: Callable[[Sequence[Any]], Iterable[pa.Table]],
        linger: Linger,
        limits: Limits,
    ) -> None:
        self._sender = sender
        self._tables = tables
        self._linger = linger
        self._limits = limits
        self._lock = threading.RLock()  # taken again where the collector of cycles ends a publisher
        self._changed = threading.Condition(self._lock)
        self._state = _State.OPEN
        self._entries: list[Any] = []  # what the thread has not taken yet
        self._rows = self._bytes = 0  # of the entries
        self._is_due = False  # whether they are too many to wait any longer
        self._since = 0.0  # when the first of them came
        self._taken = self._durable = 0  # rows, ever
        self._unsent_bytes = 0
        self._urgent = False
        self._trouble = Trouble(limits.seconds)
        self._give_up_at = 0.0
        self._loss_told = False
        self._listeners: list[Callable[[], None]] = []
        self._releases: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="replaylake-publisher", daemon=True)
        self._thread.start()
        atexit.register(self._close_at_exit)
        leave_after_fork(self)

    @property
    def waiting(self) -> int:
        """The number of steps that are not durable yet."""
        return self._taken - self._durable

    @property
    def has_room(self) -> bool:
        """Say whether `put` would not have to wait."""
        return self.waiting < self._limits.rows and self._unsent_bytes < self._limits.bytes

    @property
    def is_closed(self) -> bool:
        """Say whether nothing more can be put in."""
        return self._state is not _State.OPEN

    @property
    def patience(self) -> float:
        """For how many seconds the stream's absence is borne."""
        return self._limits.seconds

    def listen(self, listener: Callable[[], None]) -> None:
        """Have the outbox's thread call this after each attempt to send."""
        self._listeners.append(listener)

    def at_end(self, release: Callable[[], None]) -> None:
        """Have the outbox's thread call this at its end, when it has let go of the producer."""
        self._releases.append(release)

    def put(self, entries: Sequence[Any], rows: int, size: int) -> None:
        """Take entries of so many rows and bytes; wait for room where there is none.

        Where there is none in time, raise StreamError; nothing was taken. Where the stream has been failing
        for too long, raise its error, once for each attempt; the entries were taken all the same.
        """
        with self._lock:
            if self._state is not _State.OPEN or not self.has_room:
                self._wait_for_room()
            if not self._entries:
                self._since = time.monotonic()
                self._changed.notify_all()
            self._entries += entries
            self._taken += rows
            self._rows += rows
            self._bytes += size
            self._unsent_bytes += size
            if not self._is_due and self._is_large():
                self._is_due = True
                self._changed.notify_all()
            if not self._trouble.told:
                self._trouble.tell(time.monotonic())

    def refuse(self) -> None:
        """Raise StreamError for something that found no room in time."""
        failure = self._trouble.failure
        self._trouble.told = True
        raise StreamError(
            f"In {self._limits.seconds:g} s there was no room for another step: {self.waiting:,} wait for the"
            f" stream{f': {failure}' if failure else '.'}",
            hint="They are kept. What was to be published now was not taken.",
        ) from failure

    def ask(self) -> Ticket:
        """Have everything sent now; `settled` says when it is."""
        with self._lock:
            self._check_open()
            self._urgent = True
            self._changed.notify_all()
            return Ticket(self._taken, self._trouble.count)

    def settled(self, ticket: Ticket) -> bool:
        """Say whether what was asked for is durable; raise the error of an attempt that failed since."""
        with self._lock:
            if self._durable >= ticket.rows:
                return True
            if self._trouble.count > ticket.failures:
                self._trouble.tell_at_once()
            if self._state is _State.CLOSED:
                raise self._loss()
            return False

    def flush(self) -> None:
        """Return once everything is durable; where it raises, everything is kept."""
        ticket = self.ask()
        with self._lock:
            self._changed.wait_for(lambda: self.settled(ticket))

    def close(self) -> None:
        """Send everything and let go; raise StreamError where something did not reach the stream in time."""
        self.abandon()
        self._thread.join()
        atexit.unregister(self._close_at_exit)
        if self._state is _State.CLOSED and self.waiting and not self._loss_told:
            self._loss_told = True
            raise self._loss() from self._trouble.failure

    def abandon(self) -> None:
        """Let the thread send everything, and end; wait for nothing."""
        with self._lock:
            if self._state is _State.OPEN:
                self._state = _State.CLOSING
                self._urgent = True
                self._give_up_at = time.monotonic() + self._limits.seconds
                self._changed.notify_all()

    def leave_to_parent(self) -> None:
        """Become unusable, after a fork: what waits is the parent's, and so is the connection."""
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._state = _State.FORKED
        self._entries = []
        atexit.unregister(self._close_at_exit)

    def _check_open(self) -> None:
        if self._state is _State.FORKED:
            raise StreamError(
                "The publisher was made by another process, before a fork.", hint="Make one in each process."
            )
        if self._state is not _State.OPEN:
            raise StreamError("The publisher is closed.")

    def _is_large(self) -> bool:
        return self._rows >= self._linger.rows or self._bytes >= self._linger.bytes or not self.has_room

    def _wait_for_room(self) -> None:
        self._check_open()
        seconds = min(self._limits.seconds, threading.TIMEOUT_MAX)
        self._changed.wait_for(lambda: self.has_room or self.is_closed, seconds)
        self._check_open()
        if not self.has_room:
            self.refuse()

    def _loss(self) -> StreamError:
        return StreamError(
            f"The publisher is closed, and {self.waiting:,} of its steps did not reach the stream:"
            f" {self._trouble.failure}",
            hint="Publish them again.",
        )

    def _run(self) -> None:
        while self._wait_until_due():
            self._attempt()
            self._tell_listeners()
        self._let_go()
        self._tell_listeners()

    def _tell_listeners(self) -> None:
        for listener in self._listeners:
            try:
                listener()
            except Exception:  # of theirs: the steps must go on
                _log.exception("A listener of the publisher failed.")

    def _let_go(self) -> None:
        closed = self._released(self._sender.close)
        with self._lock:
            if closed and not self._entries and not self._sender.unsent:
                self._durable = self._taken  # also what only the producer's own last flush brought through
        for release in self._releases:
            self._released(release)
        with self._lock:
            self._state = _State.CLOSED
            self._changed.notify_all()

    def _released(self, release: Callable[[], None]) -> bool:
        try:
            release()
        except Exception as exc:
            _log.warning("The stream did not close: %s", exc)
            return False
        return True

    def _wait_until_due(self) -> bool:
        """Wait until there is something to send; return False where there will be nothing more."""
        with self._lock:
            while True:
                now = time.monotonic()
                if self._is_over(now):
                    return False
                delay = self._delay(now)
                if delay is not None and delay <= 0:
                    return True
                self._changed.wait(None if delay is None else min(delay, threading.TIMEOUT_MAX))

    def _is_over(self, now: float) -> bool:
        if self._state is not _State.CLOSING:
            return False
        return not self.waiting or (not self._urgent and self._trouble.is_hopeless(self._give_up_at, now))

    def _delay(self, now: float) -> float | None:
        """Return how many seconds from now to send; None where nothing waits."""
        if not self.waiting:
            self._urgent = False
            return None
        if self._urgent:
            return 0.0
        if self._trouble.failure is not None:
            closing = self._state is not _State.OPEN
            retry_at = self._trouble.retry_at
            return (min(retry_at, self._give_up_at) if closing else retry_at) - now
        if self._is_due or self._state is not _State.OPEN or not self.has_room:
            return 0.0
        return self._since + self._linger.seconds - now

    def _attempt(self) -> None:
        with self._lock:
            entries, self._entries = self._entries, []
            target, size = self._taken, self._unsent_bytes
            self._rows = self._bytes = 0
            self._is_due = self._urgent = False
        try:
            if entries:
                self._add(entries)
            self._sender.send()
        except Exception as exc:  # whatever it is, those who wait have to know
            with self._lock:
                self._trouble.note(exc, self.waiting, time.monotonic())
                self._changed.notify_all()
            return
        with self._lock:
            self._durable = target
            self._unsent_bytes -= size
            self._trouble.end()
            self._changed.notify_all()

    def _add(self, entries: list[Any]) -> None:
        try:
            self._sender.add(self._tables(entries))
        except BaseException:
            with self._lock:
                self._entries[:0] = entries
            raise

    def _close_at_exit(self) -> None:
        try:
            self.close()
        except StreamError as exc:
            _log.error("%s", exc)
