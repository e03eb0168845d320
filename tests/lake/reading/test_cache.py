"""The cache of arrays: whole or not there, never another one's, and gone when it has to be."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from lake import Archive, Snapshot, StepArrays, open_blocks, read_arrays
from lake.reading import purge
from lake.reading.cache import Making, keep
from lake.reading.fill import layout
from lake.reading.projection import project
from lake.reading.sinks import Sink
from schemas.errors import StorageError, UsageError
from tests.lake.archives import append, make, row


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    _, archive = make(tmp_path)
    append(archive, *(row(step, terminated=step == 49) for step in range(50)))
    return archive


def entries(cache: Path) -> list[Path]:
    return [path.parent for path in sorted(cache.rglob("entry.json"))]


def is_right(read: StepArrays) -> bool:
    column = read.array("observation")
    return bool((column[:, 0] == np.arange(50)).all()) and len(read) == 50


def test_what_was_made_is_found_without_the_archives_files(archive: Archive, tmp_path: Path) -> None:
    snapshot = archive.snapshot()
    cache = tmp_path / "cache"
    assert is_right(read_arrays(snapshot, cache=cache))
    for name in snapshot.files:
        archive.table("steps").store.remove(name)
    assert is_right(read_arrays(snapshot, cache=cache))
    with pytest.raises(StorageError, match="does not read"):
        read_arrays(snapshot, ("action",), cache=cache)


def test_the_file_is_arrows_own(archive: Archive, tmp_path: Path) -> None:
    read_arrays(archive.snapshot(), cache=tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    table = pa.ipc.open_file(pa.memory_map(str(entry / "columns.arrow"))).read_all()
    assert table["observation"].to_pylist() == [[float(step)] for step in range(50)]
    assert table["reward"].to_pylist() == [float(step) for step in range(50)]


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 8)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _garble(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 64)


def _garble_end(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-64, os.SEEK_END)
        file.write(b"\0" * 64)


@pytest.mark.parametrize(
    "damage", [_cut, _grow, _garble, _garble_end, Path.unlink, lambda path: os.truncate(path, 0)]
)
@pytest.mark.parametrize("name", ["columns.arrow", "entry.json"])
def test_a_torn_entry_is_made_anew(archive: Archive, tmp_path: Path, damage: object, name: str) -> None:
    cache = tmp_path / "cache"
    read_arrays(archive.snapshot(), cache=cache)
    (entry,) = entries(cache)
    before = (entry / "columns.arrow").read_bytes()
    damage(entry / name)  # type: ignore[operator]
    assert is_right(read_arrays(archive.snapshot(), cache=cache))
    assert entries(cache) == [entry]
    assert (entry / "columns.arrow").read_bytes() == before


@pytest.mark.parametrize(
    "field", ["format", "snapshot", "files", "projection", "steps", "own", "probe", "bytes"]
)
def test_an_entry_of_another_making_is_made_anew(archive: Archive, tmp_path: Path, field: str) -> None:
    cache = tmp_path / "cache"
    read_arrays(archive.snapshot(), cache=cache)
    (entry,) = entries(cache)
    said = json.loads((entry / "entry.json").read_text())
    (entry / "entry.json").write_text(json.dumps(said | {field: 7}))
    assert is_right(read_arrays(archive.snapshot(), cache=cache))
    assert json.loads((entry / "entry.json").read_text()) == said


def test_other_columns_are_an_entry_of_their_own(archive: Archive, tmp_path: Path) -> None:
    for columns in (("observation",), ("observation", "keys"), ("observation", "next_observation")):
        assert is_right(read_arrays(archive.snapshot(), columns, cache=tmp_path / "cache"))
    assert len(entries(tmp_path / "cache")) == 3


def digest(snapshot: Snapshot, cache: Path | None) -> str:
    """Return a hash of all arrays and all blocks of a snapshot."""
    said = hashlib.sha256()
    read = read_arrays(snapshot, cache=cache)
    for name in sorted(read.arrays):
        said.update(read.arrays[name].tobytes())
    with open_blocks(snapshot, seed=5, epoch=2, block_rows=7, memory_bytes=6_000, cache=cache) as blocks:
        for block in blocks:
            for name in sorted(block):
                said.update(block[name].tobytes())
    return said.hexdigest()


_DIGEST = """
import sys
from pathlib import Path
from lake import Lake
from tests.lake.reading.test_cache import digest
print(digest(Lake(sys.argv[1]).snapshot(sys.argv[2]), Path(sys.argv[3])))
"""


def test_the_same_bytes_in_other_processes_at_once(archive: Archive, tmp_path: Path) -> None:
    snapshot = archive.snapshot()
    cache = tmp_path / "cache"
    arguments = [sys.executable, "-c", _DIGEST, str(tmp_path / "lake"), snapshot.id, str(cache)]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate()[0].strip() for process in running}
    assert said == {digest(snapshot, None)}
    assert len(entries(cache)) == 1


def test_the_same_bytes_before_and_after_compaction(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    steps = [row(step, episode_id=name) for step in range(20) for name in "cab"]
    for part in range(3):
        append(archive, *steps[part::3])
    before = archive.snapshot()
    said = digest(before, None)
    archive.compact()
    assert digest(lake.snapshot(before.id), None) == said
    after = archive.snapshot()
    assert after.files != before.files
    assert digest(after, None) == said


def test_what_a_killed_process_left_is_removed(archive: Archive, tmp_path: Path) -> None:
    snapshot = archive.snapshot()
    left = tmp_path / "cache" / snapshot.id / ".making-left"
    left.mkdir(parents=True)
    (left / "columns.arrow").write_bytes(b"half")
    assert is_right(read_arrays(snapshot, cache=tmp_path / "cache"))
    assert not left.exists()


def test_a_purge_removes_the_entries_of_a_snapshot_and_no_others(archive: Archive, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    gone, kept = archive.snapshot(), archive.snapshot("step >= 0")
    held = read_arrays(gone, cache=cache)
    read_arrays(kept, cache=cache)
    assert purge(cache, [gone.id, "never-there"]) > 0
    assert [entry.parent.name for entry in entries(cache)] == [kept.id]
    assert is_right(held)  # who has it mapped keeps it
    assert purge(cache, [gone.id]) == 0
    assert purge(tmp_path / "no such folder", [gone.id]) == 0


def test_a_purge_stops_what_is_just_being_made(archive: Archive, tmp_path: Path) -> None:
    cache = tmp_path / "cache"

    def fill(sink: Sink) -> int:
        for name, column in layout(projection, 3, 0).items():
            sink.put(name, 0, np.zeros((3, *column.shape), column.dtype))
        purge(cache, [snapshot.id])
        return 3

    snapshot, projection = archive.snapshot(), project(archive.spec, ("action",))
    with pytest.raises(StorageError, match=r"cannot be written: .*purged meanwhile"):
        keep(cache, snapshot, projection, Making(3, 0, pl.DataFrame(), fill))
    assert entries(cache) == []


@pytest.mark.parametrize("name", ["../lake", "", ".", "a/b"])
def test_no_other_folder_is_purged(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no snapshot's id"):
        purge(tmp_path, [name])


def test_a_cache_that_cannot_be_written_is_said(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StorageError, match=r"cache .* cannot be written"):
        read_arrays(archive.snapshot(), cache=tmp_path / "cache")
