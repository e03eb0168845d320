"""What is wrong with a stream just now: since when, whether that may mend itself, and who was told."""

from __future__ import annotations

import logging

from schemas.errors import StreamError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between attempts
_log = logging.getLogger(__name__)


class Trouble:
    """Remember the failures of a stream. It has no lock: whoever calls it has one.

    A StreamError is an absence, which is borne for `patience` seconds; any other error will not mend itself.
    """

    def __init__(self, patience: float) -> None:
        self.failure: Exception | None = None  # of the last attempt
        self.count = 0  # of failed attempts, ever
        self.told = True  # the failure, to somebody
        self.retry_at = 0.0
        self._patience = patience
        self._since = 0.0

    def note(self, failure: Exception, waiting: int, now: float) -> None:
        """Note a failed attempt."""
        if self.failure is None:
            self._since = now
            _log.warning("The stream refuses steps; %d are kept: %s", waiting, failure)
        self.failure = failure.with_traceback(None)  # which would keep what was sent
        self.count += 1
        self.told = False
        self.retry_at = now + min(max(now - self._since, _FIRST_PAUSE), _LONGEST_PAUSE)

    def end(self) -> None:
        """Note an attempt that went well."""
        if self.failure is not None:
            _log.warning("The stream takes steps again.")
        self.failure, self.told = None, True

    def is_hopeless(self, give_up_at: float, now: float) -> bool:
        """Say whether the last attempt failed and another is not worth it."""
        return self.failure is not None and (now >= give_up_at or not isinstance(self.failure, StreamError))

    def tell(self, now: float) -> None:
        """Raise the failure where it has lasted, or will; once for each attempt."""
        if not self.told and self.is_hopeless(self._since + self._patience, now):
            self.tell_at_once()

    def tell_at_once(self) -> None:
        """Raise the failure, if there is one."""
        self.told = True
        if self.failure is not None:
            raise self.failure
