"""Bytes of a step of CartPole."""

from __future__ import annotations

from .lake_bytes import bytes_benchmark
from .lake_episodes import CARTPOLE

BENCHMARK = bytes_benchmark(CARTPOLE, "4 numbers seen")
