"""Batches as a stream brings them: what a call costs counts more than its rows."""

from __future__ import annotations

from .validate_contest import suite_benchmark
from .validate_rows import great_expectations

BENCHMARK = suite_benchmark(
    "validate-batch",
    "Suite: batches of 1,000 rows by 12 rules",
    "Great Expectations",
    1_000,
    great_expectations,
    goal=50.0,
)
