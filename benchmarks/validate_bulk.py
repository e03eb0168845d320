"""A table in bulk, beside the library whose format the suite has."""

from __future__ import annotations

from .validate_contest import suite_benchmark
from .validate_rows import great_expectations

BENCHMARK = suite_benchmark(
    "validate-bulk",
    "Suite: a million rows by 12 rules",
    "Great Expectations",
    1_000_000,
    great_expectations,
    goal=3.0,
)
