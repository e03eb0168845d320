"""Bytes of a step of rendered frames."""

from __future__ import annotations

from .lake_bytes import bytes_benchmark
from .lake_episodes import FRAMES

BENCHMARK = bytes_benchmark(FRAMES, "rendered frames of 84 x 84")
