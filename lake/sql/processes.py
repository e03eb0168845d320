"""Bound a process that does nothing but ask: the engine does not count all the memory that it takes.

What one call within an expression makes, such as lists of lists, is counted only once it is done.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from lake.sql.failures import query_error
from lake.sql.limits import QueryLimits
from lake.views import open_connection

_BESIDE = 256 << 20  # bytes, for what is not the engine's
_STACK = 8 << 20  # bytes of a thread's, where the system bounds none


@contextmanager
def bounded_process(limits: QueryLimits) -> Iterator[None]:
    """Let the kernel refuse this process more than it has and twice the memory of a query.

    The engine says then that memory is short, as it does where it counts itself. Linux alone refuses it.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    try:
        with open_connection({"memory_limit": limits.memory}) as connection:
            asked = "select parse_formatted_bytes(current_setting('memory_limit'))::bigint"
            ((size,),) = connection.execute(asked).fetchall()
    except duckdb.Error as exc:
        raise query_error(exc) from exc
    taken = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    bound = taken + 2 * size + _BESIDE + _stacks()
    resource.setrlimit(
        resource.RLIMIT_DATA, (bound if before == resource.RLIM_INFINITY else min(bound, before), most)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))


def _stacks() -> int:
    """Return the bytes of the stacks of all threads: the engine and Arrow start one for each processor."""
    size, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return 2 * (os.cpu_count() or 1) * (_STACK if size == resource.RLIM_INFINITY else size)
