"""Run what takes long so that Ctrl-C stops it: while the engine works, Python does not hear of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import duckdb

_T = TypeVar("_T")
_LOOK = 0.2  # seconds between two looks: a signal need not wake who waits
_PATIENCE = 10.0  # seconds that the engine has to stop in


def stoppable(connection: duckdb.DuckDBPyConnection, action: Callable[[], _T]) -> _T:
    """Return what the action does; on Ctrl-C stop it, and raise KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        return action()
    done: Future[_T] = Future()

    def work() -> None:
        try:
            done.set_result(action())
        except BaseException as exc:
            done.set_exception(exc)

    worker = threading.Thread(target=work, name="replaylake-query", daemon=True)
    worker.start()
    try:
        while worker.is_alive() and not done.done():
            worker.join(_LOOK)
        return done.result()
    except KeyboardInterrupt:
        connection.interrupt()
        worker.join(_PATIENCE)
        raise
