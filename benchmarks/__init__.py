"""Benchmarks: ours beside another, in the same run."""

from .harness import Benchmark, Contest, Outcome, run_benchmark
from .registry import benchmark_names, find_benchmark

__all__ = ["Benchmark", "Contest", "Outcome", "benchmark_names", "find_benchmark", "run_benchmark"]
