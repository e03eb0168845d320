"""Arrays of snapshots on the disk: made whole or not at all, checked when opened, removed on demand."""

from __future__ import annotations

import hashlib
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
from lake.reading.making import locked, making_in, sync, take_away
from lake.reading.projection import Projection
from lake.reading.room import ENTRY, make_room, note_use, remove_stale
from lake.reading.sinks import Column, FileSink, Sink
from lake.snapshots import Snapshot
from schemas.errors import StorageError, UsageError

FORMAT = 1  # another one makes every older entry foreign
_COLUMNS, _EPISODES = "columns.arrow", "episodes.arrow"
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

    @property
    def columns(self) -> dict[str, Column]:
        """What arrays there are."""
        return layout(self.projection, self.steps, self.own)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Map the arrays into memory: what is not looked at is not read."""
        return map_columns(self.folder / _COLUMNS, self.columns)

    @contextmanager
    def opened(self) -> Iterator[FileSink]:
        """Open the arrays to be read in parts, none of which stays in memory."""
        with open_columns(self.folder / _COLUMNS, self.columns) as sink:
            yield sink

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


def find(cache: Path, snapshot: Snapshot, projection: Projection) -> Entry | None:
    """Return the entry of a snapshot, or None: none is there, or it is torn, or of another making."""
    folder = _place(cache, snapshot.id, projection)
    note_use(folder)
    try:
        said = json.loads((folder / ENTRY).read_text())
        entry = Entry(folder, projection, said["steps"], said["own"], said["transitions"])
        if said != _description(entry, snapshot):
            return None
        entry.arrays()
        entry.episodes()
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
        return None
    return entry


def keep(
    cache: Path, snapshot: Snapshot, projection: Projection, making: Making, most_bytes: int | None = None
) -> Entry:
    """Make the entry of a snapshot; of several processes that do, each returns a whole one.

    Before it what is out of date of the snapshot is removed, and of the whole cache what has no room by
    `most_bytes`; see `make_room`.
    """
    place = _place(cache, snapshot.id, projection)
    columns = layout(projection, making.steps, making.own)
    with _storage_errors(cache), making_in(place.parent) as aside:
        remove_stale(place.parent, _files(snapshot))
        make_room(cache, sum(column.rows * column.width for column in columns.values()), most_bytes)
        with create_columns(aside / _COLUMNS, columns) as sink:
            transitions = making.fill(sink)
        if projection.keys:
            making.episodes.write_ipc(aside / _EPISODES)
        made = Entry(aside, projection, making.steps, making.own, transitions)
        (aside / ENTRY).write_text(json.dumps(_description(made, snapshot)))
        for path in aside.iterdir():
            sync(path)
        sync(aside)
        with locked(place.parent):
            found = find(cache, snapshot, projection)
            if found is not None:
                return found
            if place.exists():  # torn
                take_away(place)
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


def _description(entry: Entry, snapshot: Snapshot) -> dict[str, Any]:
    path = entry.folder / _COLUMNS
    return {
        "format": FORMAT,
        "snapshot": snapshot.id,
        "files": _files(snapshot),
        "projection": entry.projection.hash,
        "steps": entry.steps,
        "own": entry.own,
        "transitions": entry.transitions,
        "bytes": path.stat().st_size,
        "probe": _probe(path),
    }


def _files(snapshot: Snapshot) -> str:
    """Identify the files: an erasure alone gives a snapshot others, for no row of one ever changes."""
    return hashlib.sha256("\n".join(snapshot.files).encode()).hexdigest()[:12]


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
