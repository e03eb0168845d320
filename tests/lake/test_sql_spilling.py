"""What does not fit into memory goes to a private folder, which goes away, after a kill too."""

from __future__ import annotations

import gc
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lake import Lake, QueryLimits
from lake.sql.spilling import SpillFolder
from schemas.errors import QueryError
from tests.lake.archives import make

LARGE = "select md5(range::varchar) as text from range(1500000) order by text"
HOLD = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[1]
from lake.sql.spilling import SpillFolder
print(SpillFolder().path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty temporary folder."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return make(tmp_path)[0]


def test_a_sort_beyond_memory(lake: Lake, place: Path) -> None:
    result = lake.sql(LARGE, limits=QueryLimits(memory="48MB"))
    (folder,) = place.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    batches = iter(result.batches())
    first = next(batches)
    assert any(folder.glob("duckdb_temp_*"))  # it did not fit
    rows = first.num_rows + sum(batch.num_rows for batch in batches)
    assert rows == 1_500_000 and first.column(0)[0].as_py().startswith("0000")
    del result, batches
    gc.collect()
    assert not any(place.iterdir())


def test_nothing_is_written_where_it_may_not_be(lake: Lake, place: Path) -> None:
    result = lake.sql(LARGE, limits=QueryLimits(memory="48MB", spill="0GB"))
    with pytest.raises(QueryError, match="more memory, or more room beside it"):
        result.arrow()
    assert not any(place.iterdir())


def test_less_memory_than_the_engine_begins_with(lake: Lake, place: Path) -> None:
    with pytest.raises(QueryError, match=r"needs more memory than 1KB. Allow more: --memory 1GB"):
        lake.sql("select 1", limits=QueryLimits(memory="1KB"))
    assert not any(place.iterdir())


def test_without_a_place_small_queries_are_answered(lake: Lake, place: Path) -> None:
    place.rmdir()
    assert lake.sql("select 1").rows() == [(1,)]
    with pytest.raises(QueryError, match="more memory, or more room beside it"):
        lake.sql(LARGE, limits=QueryLimits(memory="48MB")).arrow()


def test_a_refused_query_leaves_no_folder(lake: Lake, place: Path) -> None:
    with pytest.raises(QueryError):
        lake.sql("select nothing from demo.steps")
    assert not any(place.iterdir())


def test_the_folder_of_a_killed_process_is_removed_and_of_a_living_one_is_not(place: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        (theirs / "duckdb_temp_storage-0.tmp").write_bytes(b"much")
        ours = SpillFolder()
        assert theirs.is_dir() and ours.path.is_dir()
        process.send_signal(signal.SIGKILL)
    another = SpillFolder()
    assert not theirs.exists()
    assert ours.path.is_dir() and another.path.is_dir()
    ours.remove()
    another.remove()
    another.remove()
    assert not any(place.iterdir())


def test_a_folder_without_a_lock_is_removed_and_what_is_no_folder_of_ours_is_not(place: Path) -> None:
    unlocked = place / "replaylake-query-unlocked"
    unlocked.mkdir()
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (place / "replaylake-query-link").symlink_to(elsewhere)
    (place / "replaylake-query-file").touch()
    if os.getuid() == 0:
        foreign = place / "replaylake-query-foreign"
        foreign.mkdir()
        os.chown(foreign, 12345, -1)
    SpillFolder().remove()
    left = {held.name.removeprefix("replaylake-query-") for held in place.iterdir()}
    assert left - {"foreign"} == {"elsewhere", "link", "file"}
    assert ("foreign" in left) == (os.getuid() == 0)
    assert not any(elsewhere.iterdir())
