"""A snapshot reads alike wherever its lake is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lake import read_arrays
from lake.reading import open_blocks
from tests.lake.archives import SPEC, append, row
from tests.lake.places import PLACES, lake_in


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("where", [None, "step < 40"])
def test_arrays_and_blocks(
    place: str, where: str | None, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    archive = lake_in(place, request, tmp_path).create("demo", spec=SPEC)
    append(archive, *(row(step) for step in range(30)))
    append(archive, *(row(step) for step in range(30, 41)))
    count = 40 if where is None else 39
    snapshot = archive.snapshot(where)
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        column = read_arrays(snapshot, cache=cache).array("next_observation")
        assert column[:, 0].tolist() == list(range(1, count + 1))
    with open_blocks(snapshot, seed=1, cache=tmp_path / "cache") as blocks:
        (block,) = blocks
    assert sorted(np.asarray(block["observation"])[:, 0].tolist()) == list(range(count))
