"""Arrays of snapshots on the disk: made whole or not at all, checked when opened, removed on demand."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from numpy.typing import NDArray

from lake.reading.columnar_file import create_columns, map_columns, open_columns
from lake.reading.fill import layout
from lake.reading.making import OLD, locked, making_in, sync
from lake.reading.projection import Projection
from lake.reading.sinks import FileSink, Sink
from schemas.errors import StorageError, UsageError

FORMAT = 1  # another one makes every older entry foreign
_COLUMNS, _EPISODES, _ENTRY = "columns.arrow", "episodes.arrow", "entry.json"
_PROBES, _PROBE = 64, 4096
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """Name the arrays of one snapshot and projection on the disk."""

    folder: Path
    projection: Projection
    steps: int
    own: int
    transitions: int

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Map the arrays into memory: what is not looked at is not read."""
        return map_columns(self.folder / _COLUMNS, layout(self.projection, self.steps, self.own))

    @contextmanager
    def opened(self) -> Iterator[FileSink]:
        """Open the arrays to be read in parts, none of which stays in memory."""
        with open_columns(self.folder / _COLUMNS, layout(self.projection, self.steps, self.own)) as columns:
            yield columns

    def episodes(self) -> pl.DataFrame | None:
        """Return the key of each episode, by its number, where keys were asked for."""
        return pl.read_ipc(self.folder / _EPISODES) if self.projection.keys else None


@dataclass(frozen=True, slots=True)
class Making:
    """Hold what is known before the arrays are filled, and how to fill them."""

    steps: int
    own: int
    episodes: pl.DataFrame
    fill: Callable[[Sink], int]  # returns how many transitions there are


def make_folder(cache: Path) -> None:
    """Make the cache's folder where it is not there."""
    with _storage_errors(cache):
        cache.mkdir(parents=True, exist_ok=True)


def find(cache: Path, snapshot_id: str, projection: Projection) -> Entry | None:
    """Return the entry of a snapshot, or None: none is there, or it is torn, or of another making."""
    folder = _place(cache, snapshot_id, projection)
    try:
        said = json.loads((folder / _ENTRY).read_text())
        entry = Entry(folder, projection, said["steps"], said["own"], said["transitions"])
        if said != _description(entry, snapshot_id):
            return None
        entry.arrays()
        entry.episodes()
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
        return None
    return entry


def keep(cache: Path, snapshot_id: str, projection: Projection, making: Making) -> Entry:
    """Make the entry of a snapshot; of several processes that do, each returns a whole one."""
    place = _place(cache, snapshot_id, projection)
    with _storage_errors(cache), making_in(place.parent) as aside:
        with create_columns(aside / _COLUMNS, layout(projection, making.steps, making.own)) as sink:
            transitions = making.fill(sink)
        if projection.keys:
            making.episodes.write_ipc(aside / _EPISODES)
        made = Entry(aside, projection, making.steps, making.own, transitions)
        (aside / _ENTRY).write_text(json.dumps(_description(made, snapshot_id)))
        for path in aside.iterdir():
            sync(path)
        sync(aside)
        with locked(place.parent):
            found = find(cache, snapshot_id, projection)
            if found is not None:
                return found
            if place.exists():  # torn
                old = place.with_name(f"{OLD}{aside.name}")
                place.rename(old)
                shutil.rmtree(old)
            aside.rename(place)
        sync(place.parent)
    return Entry(place, projection, making.steps, making.own, transitions)


def purge(cache: Path, snapshot_ids: Collection[str]) -> int:
    """Remove what is kept of snapshots, what is being made of them too; return the bytes that were freed.

    Who has arrays mapped keeps them until they are let go.
    """
    freed = 0
    for snapshot_id in snapshot_ids:
        folder = cache / _checked(snapshot_id)
        with _storage_errors(cache):
            if not folder.exists():
                continue
            freed += sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
            shutil.rmtree(folder)
    return freed


def _place(cache: Path, snapshot_id: str, projection: Projection) -> Path:
    return cache / _checked(snapshot_id) / f"{projection.hash}-{FORMAT}"


def _checked(snapshot_id: str) -> str:
    if not _ID.fullmatch(snapshot_id):
        raise UsageError(f"{snapshot_id!r} is no snapshot's id.", hint="List them: replaylake snapshot list")
    return snapshot_id


def _description(entry: Entry, snapshot_id: str) -> dict[str, Any]:
    path = entry.folder / _COLUMNS
    return {
        "format": FORMAT,
        "snapshot": snapshot_id,
        "projection": entry.projection.hash,
        "steps": entry.steps,
        "own": entry.own,
        "transitions": entry.transitions,
        "bytes": path.stat().st_size,
        "probe": _probe(path),
    }


def _probe(path: Path) -> int:
    """Return a checksum over parts of the file, its ends among them: reading all would take too long."""
    found = 0
    with path.open("rb") as file:
        size = path.stat().st_size
        for number in range(_PROBES):
            file.seek(max(0, size - _PROBE) * number // (_PROBES - 1))
            found = zlib.crc32(file.read(_PROBE), found)
    return found


@contextmanager
def _storage_errors(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StorageError(
            f"The reader's cache {cache} cannot be written: {exc.strerror or exc}.",
            hint="Check that it is writable, has room and was not purged meanwhile.",
        ) from exc
