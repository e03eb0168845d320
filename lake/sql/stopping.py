"""Run what takes long so that Ctrl-C and a limit of time stop it.

While the engine works, Python does not hear of Ctrl-C, and the engine minds its own limit only between
pieces of its work, of which one may take hours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import duckdb

_T = TypeVar("_T")
_LOOK = 0.2  # seconds between two looks: a signal need not wake who waits
_LATER = 1.0  # seconds after the engine's own limit, which mostly is enough
_PATIENCE = 3.0  # seconds that the engine has to stop in


def stoppable(
    connection: duckdb.DuckDBPyConnection, action: Callable[[], _T], seconds: float | None = None
) -> _T:
    """Return what the action does; on Ctrl-C stop it, and raise KeyboardInterrupt.

    Raise InterruptException where it takes longer than `seconds`. An engine that does not stop even then is
    left to its thread, which ends with the process at the latest.
    """
    if seconds is None and threading.current_thread() is not threading.main_thread():
        return action()
    done: Future[_T] = Future()

    def work() -> None:
        try:
            done.set_result(action())
        except BaseException as exc:
            done.set_exception(exc)

    worker = threading.Thread(target=work, name="replaylake-query", daemon=True)
    end = float("inf") if seconds is None else time.monotonic() + seconds + _LATER
    try:
        worker.start()
    except RuntimeError as exc:  # there is no room for its stack
        raise MemoryError(str(exc)) from exc
    try:
        while worker.is_alive() and not done.done() and time.monotonic() < end:
            worker.join(_LOOK)
        if not done.done():
            connection.interrupt()
            worker.join(_PATIENCE)
            raise duckdb.InterruptException("It took too long.")
        return done.result()
    except KeyboardInterrupt:
        connection.interrupt()
        worker.join(_PATIENCE)
        raise
