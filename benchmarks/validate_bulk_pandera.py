"""A table in bulk, beside pandera on Polars."""

from __future__ import annotations

from .validate_contest import suite_benchmark
from .validate_rows import pandera

BENCHMARK = suite_benchmark(
    "validate-bulk-pandera",
    "Suite: a million rows by 12 rules",
    "pandera on Polars",
    1_000_000,
    pandera,
    goal=1.0,
)
