"""A query ends where it takes more time or memory than it may, even inside one call of an expression."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lake import Lake, QueryLimits
from schemas.errors import QueryError
from tests.lake.archives import make

LONG = "levenshtein(repeat('x', 60000), repeat('y', 60000))"  # seconds, in which the engine hears nothing
HOURS = f"list_sum(list_transform(range(10000), lambda x: {LONG} + x))"
# Lists and texts that are made before anything is counted.
LARGE = (
    "select len(list_transform(range(60000), lambda x: list_transform(range(60000), lambda y: x * y)))",
    "select len(list_transform(range(60000), lambda x: repeat('y', 60000)))",
    "select list_reduce(list_transform(range(60000), lambda x: 'x'), lambda a, b: a || a)",
    "with t as (select list(range) as l from range(60000)) select len(list_transform(l, lambda x: l)) from t",
)
ASK = """
import sys
from lake import Lake, QueryLimits
from lake.sql.processes import bounded_process
from schemas.errors import QueryError
limits = QueryLimits(memory="100MB", spill="0GB")
for query in sys.argv[2:]:
    try:
        with bounded_process(limits):
            Lake(sys.argv[1]).sql(query, limits=limits).rows()
        print("answered")
    except QueryError as exc:
        print(exc.message)
# Not what the system counts for a process, which begins with the memory of the one that started it.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(int(peak.split()[1]) * 1024)
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return make(tmp_path)[0]


@pytest.mark.parametrize(
    "query",
    [
        f"select {HOURS}",
        f"select count(*) from range({HOURS}::bigint)",
        f"select count(*) from demo.steps at (version => {' + '.join([LONG] * 50)})",
    ],
)
def test_an_engine_that_does_not_stop_is_left(lake: Lake, query: str) -> None:
    """In a process of its own, which leaves at once: what the engine still does has no good end."""
    ask = (
        "import os, sys; from lake import Lake, QueryLimits; from schemas.errors import QueryError\n"
        "try: Lake(sys.argv[1]).sql(sys.argv[2], limits=QueryLimits(seconds=0.2)).rows()\n"
        "except QueryError as exc: print(exc.message, flush=True); os._exit(0)"
    )
    command = [sys.executable, "-c", ask, str(lake.folder), query]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert outcome.stdout == "The query took longer than it may, and was stopped.\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this kernel does not refuse memory")
def test_a_process_that_is_bounded_outlives_what_the_engine_does_not_count(lake: Lake) -> None:
    queries = [*LARGE, "select sum(range) from range(1000000)"]
    command = [sys.executable, "-c", ASK, str(lake.folder), *queries]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    *said, peak = outcome.stdout.splitlines()
    refused = "The query needs more memory, or more room beside it, than it may use."
    assert said == [refused] * len(LARGE) + ["answered"]
    assert int(peak) < 1 << 30  # far below what they would make


def test_a_bounded_process_has_room_for_the_stacks_of_all_processors(lake: Lake) -> None:
    many = f"""
import duckdb, os
connect = duckdb.connect
os.cpu_count = lambda: 128
duckdb.connect = lambda config: connect(config=config | {{"threads": 128}})
{ASK}"""
    command = [sys.executable, "-c", many, str(lake.folder), "select count(*) from demo.steps"]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert outcome.stdout.splitlines()[0] == "answered"


def test_a_thread_has_its_limit_of_time_too(lake: Lake) -> None:
    found: list[BaseException] = []

    def ask() -> None:
        try:
            lake.sql("select count(*) from range(1000000000000)", limits=QueryLimits(seconds=0.1)).rows()
        except QueryError as exc:
            found.append(exc)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(60)
    assert [type(exc) for exc in found] == [QueryError]
