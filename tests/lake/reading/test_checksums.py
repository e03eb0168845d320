"""A bit that was flipped in a stored file is an error that names the file, never a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lake import Archive, read_arrays
from lake.reading import open_blocks
from schemas.archive_spec import ArchiveSpec
from schemas.errors import StorageError
from schemas.spaces import Box, Dict, Discrete
from tests.lake.archives import append, make, row

SPEC = ArchiveSpec(
    name="demo",
    observation=Dict(
        spaces={
            "camera": Box(shape=(8, 8), dtype="uint8", low=0, high=255),
            "speed": Box(shape=(3,), dtype="float32"),
        }
    ),
    action=Discrete(n=2),
)
PAGES = {  # the column, as the file has it: what its pages are like
    "observation.speed.list.element": "plain numbers",
    "observation.camera": "images, many to a page",
    "reward": "one number a row",
    "terminated": "bits",
    "episode_id": "a dictionary and codes",
    "step": "of the key",
}


def filled(folder: Path, compacted: bool) -> tuple[Archive, Path]:
    random = np.random.default_rng(0)
    _, archive = make(folder, SPEC)
    append(
        archive,
        *(
            row(
                step,
                episode_id=f"episode-{number}",
                observation={
                    "camera": random.integers(0, 256, (8, 8), dtype=np.uint8),
                    "speed": random.normal(size=3),
                },
                reward=float(random.normal()),
            )
            for number in range(40)
            for step in range(20)
        ),
    )
    if compacted:
        archive.compact()
    (name,) = archive.table("steps").file_names()
    return archive, folder / "lake" / "demo" / "steps" / name


def places(path: Path, column: str) -> list[int]:
    """Return places in a column's pages, where they are surely not in a page's header."""
    group = pq.read_metadata(path).row_group(0)
    chunks = [group.column(index) for index in range(group.num_columns)]
    (chunk,) = [chunk for chunk in chunks if chunk.path_in_schema == column]
    end = chunk.data_page_offset + chunk.total_compressed_size
    if chunk.has_dictionary_page:
        end = chunk.dictionary_page_offset + chunk.total_compressed_size
        return [chunk.data_page_offset - 2, end - 2]  # the dictionary's end, and the codes'
    middle = [(chunk.data_page_offset + end) // 2] if chunk.total_compressed_size > 1000 else []
    return [*middle, end - 2]


@pytest.mark.parametrize("where", [None, "step >= 0"], ids=["whole", "by a condition"])
@pytest.mark.parametrize("compacted", [False, True], ids=["as it landed", "compacted"])
@pytest.mark.parametrize("column", PAGES, ids=PAGES.values())
def test_a_flipped_bit_is_an_error(column: str, compacted: bool, where: str | None, tmp_path: Path) -> None:
    archive, path = filled(tmp_path, compacted)
    snapshot = archive.snapshot(where)
    whole = path.read_bytes()
    assert len(read_arrays(snapshot)) == 40 * 19
    for place in places(path, column):
        for bit in (1, 128):
            damaged = bytearray(whole)
            damaged[place] ^= bit
            path.write_bytes(damaged)
            with pytest.raises(StorageError, match=rf"{path.name} does not read: .*[cC]heck ?sum"):
                read_arrays(snapshot)
        with (
            pytest.raises(StorageError, match=path.name),
            open_blocks(snapshot, seed=1, cache=tmp_path / "cache"),
        ):
            pass
    path.write_bytes(whole)
    assert len(read_arrays(snapshot, cache=tmp_path / "cache")) == 40 * 19


def test_a_column_that_only_the_condition_reads_is_checked(tmp_path: Path) -> None:
    archive, path = filled(tmp_path, compacted=True)
    snapshot = archive.snapshot("Priority > 0")
    damaged = bytearray(path.read_bytes())
    damaged[places(path, "priority")[-1]] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(StorageError, match=r"does not read: .*checksum"):
        read_arrays(snapshot)
