"""What a cache kept from before an erasure on another machine is never read again, and goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake import Archive, Lake, Snapshot, open_blocks, read_arrays
from lake.maintenance.erase import erase
from lake.maintenance.erasure_plan import Criterion, plan_erasure
from tests.lake.archives import append, make, row

COLUMNS = ("observation", "keys")
ERASED = 100.0  # and more: the observations of who is erased


def erase_somebody(archive: Archive, cache: Path) -> None:
    erase(archive, plan_erasure(archive, Criterion(agent="gone"), "asked for"), cache)


def filled(folder: Path) -> tuple[Lake, Archive]:
    lake, archive = make(folder)
    append(archive, *(row(step, agent_id="kept") for step in range(5)))
    append(
        archive,
        *(row(step, agent_id="kept", episode_id="f") for step in range(5)),
        *(row(step, agent_id="gone", observation=[ERASED + step], episode_id="g") for step in range(5)),
    )
    return lake, archive


def numbers(snapshot: Snapshot, cache: Path) -> set[float]:
    """Return the observations that are read, by arrays and by blocks."""
    read = read_arrays(snapshot, COLUMNS, cache=cache)
    assert read.steps == snapshot.rows
    found = set(read.arrays["observation"][:, 0].tolist())
    with open_blocks(snapshot, seed=1, columns=COLUMNS, cache=cache) as blocks:
        for block in blocks:
            found |= set(block["observation"][:, 0].tolist())
    return found


CHOICES: dict[str, dict[str, object]] = {
    "whole": {},
    "a condition": {"where": "step < 4"},
    "episodes": {"any_step": "step = 3"},
    "columns": {"columns": ["observation", "reward", "terminated", "truncated", "discount"]},
}


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_an_erasure_elsewhere_is_seen(choice: dict[str, object], tmp_path: Path) -> None:
    lake, archive = filled(tmp_path)
    here, there = tmp_path / "here", tmp_path / "there"
    snapshot = archive.snapshot(**choice)  # type: ignore[arg-type]
    for cache in (here, there):
        assert max(numbers(snapshot, cache)) >= ERASED
        read_arrays(snapshot, ("observation",), cache=cache)  # an entry of its own
    erase_somebody(archive, here)
    assert not (here / snapshot.id).exists()
    assert len(list((there / snapshot.id).glob("*/entry.json"))) == 2
    left = lake.snapshot(snapshot.id)
    assert max(numbers(left, there)) < ERASED
    assert len(list((there / snapshot.id).glob("*/entry.json"))) == 1  # the other one is gone as well
    assert not list((there / snapshot.id).glob(".old-*"))
    kept = next((there / snapshot.id).glob("*/entry.json")).stat().st_ino
    assert max(numbers(lake.snapshot(snapshot.id), there)) < ERASED
    assert next((there / snapshot.id).glob("*/entry.json")).stat().st_ino == kept


def test_a_snapshot_without_a_row_of_the_erased_is_kept(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, *(row(step, agent_id="kept") for step in range(5)))
    snapshot = archive.snapshot()
    append(archive, *(row(step, agent_id="gone", episode_id="g") for step in range(5)))
    cache = tmp_path / "cache"
    read_arrays(snapshot, cache=cache)
    erase_somebody(archive, cache)
    assert len(list((cache / snapshot.id).glob("*/entry.json"))) == 1
    assert read_arrays(lake.snapshot(snapshot.id), cache=cache).steps == 5
