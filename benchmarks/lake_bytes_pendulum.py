"""Bytes of a step of Pendulum."""

from __future__ import annotations

from .lake_bytes import bytes_benchmark
from .lake_episodes import PENDULUM

BENCHMARK = bytes_benchmark(PENDULUM, "real numbers throughout")
