"""The archive that the benchmarks of the lake share: made once, compacted, and kept beside the code."""

from __future__ import annotations

import os
from pathlib import Path

from lake import Archive, Lake
from schemas.errors import UsageError

from .lake_steps import SPEC, make_batches

_ROWS = 50_000_000
_ROWS_VARIABLE = "LAKE_BENCH_STEPS"
_MADE = "made"  # an empty file beside the lake: it is whole


def cache_folder() -> Path:
    """Return the folder for what is made once: `.cache/bench` in the current folder."""
    folder = Path(".cache", "bench").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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
    if not (folder / _MADE).exists():
        archive = lake.archive(SPEC.name) if SPEC.name in lake.names() else lake.create(SPEC.name, spec=SPEC)
        _fill(archive, rows)
        archive.compact()
        (folder / _MADE).touch()
    return lake


def _fill(archive: Archive, rows: int) -> None:
    """Append what is missing; every version after the first is a batch."""
    for batch in make_batches(rows, done=archive.table("steps").version):
        archive.append(batch)
