"""The archive that the benchmarks of the lake share: made once, compacted, and kept beside the code."""

from __future__ import annotations

import os

from lake import Lake
from schemas.errors import UsageError

from .lake_steps import SPEC, make_batches
from .made_once import cache_folder, made_once

_ROWS = 50_000_000
_ROWS_VARIABLE = "LAKE_BENCH_STEPS"


def wanted_rows() -> int:
    """Return how many steps to measure on: 50 million, or what LAKE_BENCH_STEPS says."""
    said = os.environ.get(_ROWS_VARIABLE, str(_ROWS))
    if not said.isdecimal() or not int(said):
        raise UsageError(f"{_ROWS_VARIABLE}={said!r} is no number of steps.", hint="Give 2000000, say.")
    return int(said)


def large_lake() -> Lake:
    """Open the lake with so many steps, compacted; one that was left half made is made whole."""
    rows = wanted_rows()
    folder = cache_folder() / f"lake-{rows}"
    lake = Lake(folder / "lake")
    made_once(folder, lambda: _make(lake, rows))
    return lake


def _make(lake: Lake, rows: int) -> None:
    """Append what is missing, and compact; every version after the first is a batch."""
    archive = lake.archive(SPEC.name) if SPEC.name in lake.names() else lake.create(SPEC.name, spec=SPEC)
    for batch in make_batches(rows, done=archive.table("steps").version):
        archive.append(batch)
    archive.compact()
