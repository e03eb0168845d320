"""Blocks are one random permutation of all transitions, whatever the memory, the files and the process."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake import Archive
from lake.reading import open_blocks
from lake.reading.shuffle import buckets_of, shuffle_keys
from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.spaces import Box, Discrete
from tests.lake.archives import append, make, row

STEPS = 400
SMALL = 12_000  # bytes: some twenty parts


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return filled(tmp_path_factory.mktemp("blocks"), 3)


def filled(folder: Path, files: int) -> Archive:
    """Make an archive of four episodes, two of which break off; rows lie in any order."""
    _, archive = make(folder)
    length = STEPS // 4
    steps = [
        row(
            step,
            episode_id=name,
            observation=[float(1000 * number + step)],
            terminated=step == length - 1 and number > 1,
        )
        for number, name in enumerate("abcd")
        for step in range(length)
    ]
    steps = [steps[place] for place in np.random.default_rng(files).permutation(STEPS)]
    for part in range(files):
        append(archive, *steps[part::files])
    return archive


def numbers(archive: Archive, **arguments: Any) -> list[float]:
    """Return the observations of an epoch's blocks, one after another."""
    chosen: dict[str, Any] = {"seed": 1, "block_rows": 32, "memory_bytes": SMALL} | arguments
    with open_blocks(archive.snapshot(), **chosen) as blocks:
        found = [block["observation"] for block in blocks]
        assert len(found) == len(blocks)
    return [float(number) for held in found for number in held[:, 0]]


def test_each_transition_comes_once_and_in_no_order(archive: Archive) -> None:
    found = numbers(archive)
    expected = [1000.0 * episode + step for episode in range(4) for step in range(100 if episode > 1 else 99)]
    assert sorted(found) == expected
    places = np.argsort(np.argsort(found))
    assert abs(np.corrcoef(places, np.arange(len(found)))[0, 1]) < 0.2
    assert abs(np.corrcoef(places[1:], places[:-1])[0, 1]) < 0.2


def test_seed_and_epoch_decide_and_nothing_else(archive: Archive, tmp_path: Path) -> None:
    found = numbers(archive)
    assert numbers(archive) == found
    assert numbers(archive, memory_bytes=10_000_000) == found
    assert numbers(archive, block_rows=5) == found
    assert numbers(archive, cache=tmp_path / "cache") == found
    assert numbers(filled(tmp_path / "other files", 1)) == found
    orders = [found, numbers(archive, seed=2), numbers(archive, epoch=1), numbers(archive, seed=2, epoch=1)]
    assert len({tuple(order) for order in orders}) == 4


@pytest.mark.parametrize("first", [0, 1, 5, 12, 13, 99])
def test_an_epoch_goes_on_at_any_block(archive: Archive, first: int) -> None:
    assert numbers(archive, first_block=first) == numbers(archive)[32 * first :]


def test_blocks_are_of_equal_length_but_for_the_last(archive: Archive) -> None:
    with open_blocks(archive.snapshot(), seed=1, block_rows=64) as blocks:
        assert [len(block["reward"]) for block in blocks] == [64] * 6 + [14]
        assert (blocks.transitions, blocks.block_rows, len(blocks)) == (398, 64, 7)
        assert sum(1 for _ in blocks) == 7  # it can be iterated again


def test_a_row_has_what_belongs_to_it(archive: Archive) -> None:
    with open_blocks(archive.snapshot(), seed=4, memory_bytes=SMALL) as blocks:
        for block in blocks:
            arrays: dict[str, Any] = block
            step = arrays["observation"][:, 0] % 1000
            ended = arrays["terminated"]
            assert np.array_equal(ended, (step == 99) & (arrays["observation"][:, 0] >= 2000))
            assert np.array_equal(arrays["reward"], step)
            following = np.where(ended, 0, arrays["observation"][:, 0] + 1)
            assert np.array_equal(arrays["next_observation"][:, 0], following)
            assert all(array.flags.c_contiguous and array.flags.owndata for array in arrays.values())


def test_memory_is_bounded_whatever_the_archives_size(tmp_path: Path) -> None:
    spec = ArchiveSpec(name="demo", observation=Box(shape=(600,)), action=Discrete(n=2))
    _, archive = make(tmp_path, spec)
    append(archive, *(row(step, observation=np.full(600, step, np.float32)) for step in range(3000)))
    limit = 2_000_000  # all transitions take seven times as much
    cache = tmp_path / "cache"
    with open_blocks(archive.snapshot(), seed=1, memory_bytes=limit, cache=cache) as blocks:
        assert blocks.transitions * 2 * 2400 > 7 * limit
        tracemalloc.start()
        try:
            for _ in blocks:
                pass
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < limit


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"block_rows": 0}, "Blocks of 0 transitions are not possible"),
        ({"block_rows": 10**6}, "With this memory_bytes a block has 1 to "),
        ({"memory_bytes": 10}, "10 bytes of memory are too few: a transition has 34"),
        ({"first_block": -1}, "There is no block -1"),
        ({"n": 0}, "Returns of 0 steps are not possible"),
        ({"n": 10**9}, "Returns of 1000000000 steps are not possible"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(
    archive: Archive, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as raised:
        numbers(archive, **arguments)
    assert said in str(raised.value)


@given(
    seed=st.integers(0, 2**70),
    epoch=st.integers(0, 2**40),
    rows=st.sets(st.integers(0, 2**62), min_size=1, max_size=50),
    parts=st.integers(1, 1000),
)
def test_numbers_are_distinct_and_parts_are_in_their_order(
    seed: int, epoch: int, rows: set[int], parts: int
) -> None:
    keys = np.sort(shuffle_keys(seed, epoch, np.array(sorted(rows))))
    assert len(set(keys.tolist())) == len(rows)
    buckets = buckets_of(keys, parts)
    assert (np.diff(buckets) >= 0).all()
    assert 0 <= buckets[0] <= buckets[-1] < parts


def test_every_order_of_four_rows_is_alike_likely() -> None:
    counts: dict[tuple[int, ...], int] = {}
    for seed in range(4800):
        order = tuple(np.argsort(shuffle_keys(seed, 0, np.arange(4))).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    surprise = sum((count - 200) ** 2 / 200 for count in counts.values())
    assert surprise < 60  # chi square with 23 degrees of freedom: 1 in 30,000 is above
