"""The cold place may be on another disk, in another bucket, or on S3 beside a lake on a disk."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deploy.s3.server import Server
from lake import ArchiveLanding, Lake, read_transitions
from lake.cold import cold_store
from lake.maintenance.check import check_archive
from lake.maintenance.erasure_plan import Criterion
from lake.maintenance.retain import retain
from lake.stores import Store
from tests.cli.command import ok
from tests.lake.archives import append, numbers
from tests.lake.retention.days import AGED, TODAY, fill, on_day, rows_of, seen
from tests.object_store import new_place

PLACES = ("s3 beside a disk", "another bucket beside s3", "a disk beside s3")


@pytest.fixture(params=PLACES)
def lake_and_cold(
    request: pytest.FixtureRequest, s3_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Lake, str]:
    """Return a lake, and the place for its cold rows."""
    place = new_place(s3_server)
    if request.param == "s3 beside a disk":
        for name, value in place.options.items():
            monkeypatch.setenv(name.upper(), value)
        return Lake(tmp_path / "lake"), place.url
    lake = Lake(place.url, place.options)
    monkeypatch.setenv("REPLAYLAKE_LAKE_OPTIONS", json.dumps(place.options))
    if request.param == "a disk beside s3":
        return lake, str(tmp_path / "cold")
    bucket = "replaylake-cold"
    (s3_server.folder.absolute() / "data" / bucket).mkdir(exist_ok=True)
    return lake, f"s3://{bucket}/{tmp_path.name}"


def test_all_that_is_done_with_cold_rows(lake_and_cold: tuple[Lake, str]) -> None:
    lake, cold = lake_and_cold
    archive = lake.create("demo", spec=AGED.model_copy(update={"cold": cold}))
    fill(archive, 1, 8, 9)
    append(archive, on_day(8, 0, episode_id="theirs", agent_id="MARKER"))
    before = archive.snapshot()
    assert retain(archive, today=TODAY).moved_rows == 5
    store = cold_store(archive)
    assert store is not None and store.url.startswith(f"{cold}/demo-")
    assert [row for row in seen(lake) if row[0] != "theirs"] == rows_of(1, 8, 9)
    assert numbers(lake, "select count(*) from demo.transitions") == [3]

    after = lake.archive("demo").snapshot()
    for snapshot in (before, after):
        assert snapshot.rows == 7
        assert len(read_transitions(lake.snapshot(snapshot.id))) == 3
    landing = ArchiveLanding(archive)
    date = (TODAY - timedelta(days=9)).isoformat()
    assert [step for rows in landing.committed_keys(date) for step in rows["step"].to_pylist()] == [0, 1]
    assert archive.statistics().rows == 7

    ok("maintain", "vacuum", "demo", "--keep", "0", "--grace", "0", "--lake", lake.url)
    [checked] = ok("maintain", "check", "demo", "--deep", "--lake", lake.url, "--json").document
    assert checked["problems"] == [] and checked["files"] == 3
    assert [read_transitions(lake.snapshot(one.id)) is None for one in (before, after)] == [False, False]

    append(archive, on_day(9, 2, episode_id="e9"), on_day(9, 2, episode_id="e9"))
    assert archive.compact().tables["steps"].duplicates == 1
    assert retain(archive, today=TODAY).moved_rows == 1
    assert seen(lake) == sorted([*rows_of(1, 8, 9), ("e9", 2, 2.0, date), *_theirs(lake)])

    archive.erase(archive.plan_erasure(Criterion(agent="MARKER"), "asked for"), lake.cache_folder)
    assert _theirs(lake) == []
    assert numbers(lake, "select count(*) from demo.steps") == [7]
    assert [lake.snapshot(one.id).rows for one in (before, after)] == [6, 6]
    assert not _naming(store, "MARKER")
    assert retain(archive, today=TODAY + timedelta(days=23)).deleted == {"cold": 5}
    assert seen(lake) == rows_of(1)
    assert check_archive(archive, deep=True).problems == []


def _theirs(lake: Lake) -> list[tuple[Any, ...]]:
    return [row for row in seen(lake) if row[0] == "theirs"]


def _naming(store: Store, text: str) -> list[str]:
    """Name the files that hold a text."""
    found = []
    for file in store.files():
        held = store.read(file.name)
        if file.name.endswith(".parquet"):
            held += str(pq.read_table(pa.BufferReader(held)).to_pylist()).encode()
        if text.encode() in held:
            found.append(file.name)
    return found
