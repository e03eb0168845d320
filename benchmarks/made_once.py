"""What benchmarks make once and keep beside the code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_MADE = "made"  # an empty file beside what was made: it is whole


def cache_folder() -> Path:
    """Return the folder for what is made once: `.cache/bench` in the current folder."""
    folder = Path(".cache", "bench").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def made_once(folder: Path, make: Callable[[], None]) -> None:
    """Make what a folder is to hold, unless it holds it whole."""
    if not (folder / _MADE).exists():
        make()
        (folder / _MADE).touch()
