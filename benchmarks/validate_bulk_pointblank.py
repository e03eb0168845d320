"""A table in bulk, beside pointblank on Polars."""

from __future__ import annotations

from .validate_contest import suite_benchmark
from .validate_rows import pointblank

BENCHMARK = suite_benchmark(
    "validate-bulk-pointblank",
    "Suite: a million rows by 12 rules",
    "pointblank on Polars",
    1_000_000,
    pointblank,
    goal=1.0,
)
