"""A cache has a bound: what was used longest ago goes first, and from nobody who has it."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from lake import Archive, Snapshot, open_blocks, read_arrays
from lake.reading import room
from lake.reading.cache import purge
from lake.reading.making import locked
from tests.lake.archives import append, make, row

STEPS = 1_000
LEAST = 2 * STEPS * 4  # bytes of an entry, observations and rewards alone


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    _, archive = make(tmp_path)
    append(archive, *(row(step) for step in range(STEPS)))
    return archive


def choose(archive: Archive, count: int) -> list[Snapshot]:
    """Make snapshots that differ by a step each."""
    return [archive.snapshot(f"step <> {number}") for number in range(count)]


def entry_of(cache: Path, snapshot: Snapshot) -> list[Path]:
    return list((cache / snapshot.id).glob("[!.]*/entry.json"))


def used(cache: Path, snapshot: Snapshot, seconds_ago: float) -> None:
    for path in entry_of(cache, snapshot):
        os.utime(path, (time.time() - seconds_ago,) * 2)


def test_what_was_used_longest_ago_goes_first(archive: Archive, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first, second, third, fourth = choose(archive, 4)
    for number, snapshot in enumerate((first, second, third)):
        read_arrays(snapshot, ("observation",), cache=cache)
        used(cache, snapshot, 1000 - number)
    read_arrays(first, ("observation",), cache=cache)  # now it is the one that was used last
    held = sum(path.stat().st_blocks * 512 for path in cache.rglob("*") if path.is_file())
    read_arrays(fourth, ("observation",), cache=cache, cache_bytes=held)
    assert [bool(entry_of(cache, snapshot)) for snapshot in (first, second, third, fourth)] == [
        True,
        False,
        True,
        True,
    ]
    assert not list(cache.glob("*/.old-*"))


def test_one_that_is_larger_than_the_bound_is_made(archive: Archive, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first, second = choose(archive, 2)
    read_arrays(first, cache=cache)
    used(cache, first, 1000)
    assert read_arrays(second, cache=cache, cache_bytes=1).steps == STEPS - 1
    assert not entry_of(cache, first) and entry_of(cache, second)
    assert (
        len(read_arrays(second, cache=cache, cache_bytes=1)) == STEPS - 3
    )  # without the step before the gap, and the last


def test_what_was_used_within_the_last_minute_stays(archive: Archive, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first, second = choose(archive, 2)
    read_arrays(first, cache=cache)
    read_arrays(second, cache=cache, cache_bytes=LEAST)
    assert entry_of(cache, first)


def test_without_a_bound_half_of_what_would_be_free_is_used(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first, second, third = choose(archive, 3)
    for snapshot in (first, second):
        read_arrays(snapshot, cache=cache)
        used(cache, snapshot, 1000)
    assert entry_of(cache, first)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=0))
    read_arrays(third, cache=cache)
    assert not entry_of(cache, first) and not entry_of(cache, second) and entry_of(cache, third)


def test_arrays_and_blocks_last_until_they_are_let_go(archive: Archive, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first, second = choose(archive, 2)
    columns = ("observation", "next_observation")
    read = read_arrays(first, columns, cache=cache)
    with open_blocks(first, seed=1, columns=columns, cache=cache) as blocks:
        used(cache, first, 1000)
        with open_blocks(second, seed=1, columns=columns, cache=cache, cache_bytes=1):
            assert not entry_of(cache, first)
        found = np.concatenate([block["observation"][:, 0] for block in blocks])
        assert sorted(found.tolist()) == read.array("observation")[:, 0].tolist()
    with pytest.raises(ValueError, match="closed file"):
        next(iter(blocks))


def test_nothing_else_in_the_folder_is_touched(archive: Archive, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    read_arrays(archive.snapshot(), cache=cache)
    others = [cache / archive.snapshot().id / ".making-other", cache / "mine" / "notes"]
    for other in others:
        other.mkdir(parents=True)
        (other / "entry.json").write_text("{}")
        os.utime(other / "entry.json", (0, 0))
    used(cache, archive.snapshot(), 1000)
    read_arrays(choose(archive, 1)[0], cache=cache, cache_bytes=1)
    assert all((other / "entry.json").exists() for other in others)
    assert not entry_of(cache, archive.snapshot())


def test_what_is_purged_meanwhile_is_in_nobodys_way(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first, second = choose(archive, 2)
    read_arrays(first, cache=cache)
    used(cache, first, 1000)

    def purging(folder: Path) -> AbstractContextManager[None]:
        purge(cache, [folder.name] * (folder.name == first.id))
        return locked(folder)

    monkeypatch.setattr(room, "locked", purging)
    assert read_arrays(second, cache=cache, cache_bytes=1).steps == STEPS - 1
