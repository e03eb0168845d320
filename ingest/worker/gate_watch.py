"""Look now and then whether archives are to be judged by another suite, while their worker runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator

from ingest.worker.intake import Intake
from ingest.worker.observer import WorkerObserver
from schemas.errors import ReplayLakeError, SpecChangedError
from schemas.protocols import Gate

_EVERY = 1.0  # seconds between two looks
_LOG = logging.getLogger("replaylake.ingest")


class GateWatch:
    """Ask the intakes of a worker for new gates, once a second at most.

    A suite that cannot be is told of, and changes nothing. A spec that has grown raises SpecChangedError.
    """

    def __init__(
        self,
        intakes: Iterable[Intake],
        observer: WorkerObserver,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._intakes = list(intakes)
        self._observer = observer
        self._clock = clock
        self._next = clock() + _EVERY

    def changed(self) -> Iterator[tuple[Intake, Gate]]:
        """Iterate over the intakes that are to go on with another gate, and over those gates."""
        if self._clock() < self._next:
            return
        for intake in self._intakes:
            try:
                gate = intake.new_gate()
            except SpecChangedError:
                raise
            except ReplayLakeError as exc:
                _LOG.warning("the suite of %s is not taken, the one before stays: %s", intake.archive, exc)
                self._observer.suite_refused(intake.archive, str(exc))
                continue
            if gate is not None:
                yield intake, gate
        self._next = self._clock() + _EVERY
