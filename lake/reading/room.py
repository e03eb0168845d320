"""Room in the cache: entries that nobody will read again go, and those that were used longest ago."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lake.reading.making import locked, take_away

ENTRY = "entry.json"  # what an entry says of itself; its time is that of the last use
_NAME = re.compile(r"[0-9a-f]{12}-\d+")  # of an entry's folder: its projection and its format
_IN_USE = 60.0  # seconds after an entry was found, in which who found it opens it


@dataclass(frozen=True, slots=True)
class _Kept:
    folder: Path
    used: float
    bytes: int


def note_use(folder: Path) -> None:
    """Say that an entry is used, where its cache can be written."""
    with suppress(OSError):
        os.utime(folder / ENTRY)


def remove_stale(folder: Path, files: str) -> None:
    """Remove those entries of a snapshot that were made of other files: an erasure took rows from them."""
    with locked(folder):
        for entry in _entries(folder, f"*/{ENTRY}"):
            if _said(entry).get("files") != files:
                take_away(entry)


def make_room(cache: Path, wanted: int, most: int | None) -> None:
    """Remove what was used longest ago, until so many bytes fit below the most that the cache may have.

    None for the most is half of what the disk would have free without the cache. What was used within the
    last minute stays in any case; arrays that are mapped or open last until they are let go.
    """
    kept = sorted(_measured(cache), key=lambda entry: entry.used)
    held = sum(entry.bytes for entry in kept)
    limit = (held + shutil.disk_usage(cache).free) // 2 if most is None else most
    for entry in kept:
        if held + wanted <= limit or entry.used > time.time() - _IN_USE:
            return
        with suppress(FileNotFoundError), locked(entry.folder.parent):  # but for what is purged meanwhile
            if _used(entry.folder) == entry.used:
                take_away(entry.folder)
                held -= entry.bytes


def _measured(cache: Path) -> Iterator[_Kept]:
    for folder in _entries(cache, f"*/*/{ENTRY}"):
        with suppress(OSError):  # another process has removed it
            size = sum(path.stat().st_blocks * 512 for path in folder.iterdir())
            yield _Kept(folder, (folder / ENTRY).stat().st_mtime, size)


def _entries(folder: Path, pattern: str) -> list[Path]:
    return [path.parent for path in folder.glob(pattern) if _NAME.fullmatch(path.parent.name)]


def _used(folder: Path) -> float | None:
    try:
        return (folder / ENTRY).stat().st_mtime
    except OSError:
        return None


def _said(folder: Path) -> dict[str, Any]:
    try:
        said = json.loads((folder / ENTRY).read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
