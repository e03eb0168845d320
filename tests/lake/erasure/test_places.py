"""An erasure on S3 leaves no object that names an agent."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.maintenance.compact import compact_archive
from lake.maintenance.erase import erase
from lake.maintenance.erasure_plan import Criterion, plan_erasure
from lake.maintenance.retain import retain
from lake.stores import open_store
from tests.lake.archives import DAY
from tests.lake.erasure.lakes import AGED, WHO, agents, fill, refuse
from tests.lake.places import PLACES, lake_in
from tests.object_store import S3Place


@pytest.mark.parametrize("place", PLACES)
def test_no_object_is_left(place: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    lake = lake_in(place, request, tmp_path)
    archive = lake.create("demo", spec=AGED)
    fill(archive)
    refuse(archive)
    archive.snapshot()
    retain(archive, today=DAY.date().replace(month=2))
    fill(archive)
    compact_archive(archive)
    options: dict[str, str] = {}
    if place == "s3":
        s3: S3Place = request.getfixturevalue("s3_place")
        options = s3.options
    store = open_store(lake.url, options)

    def naming() -> list[str]:
        found = []
        for file in store.files():
            held = store.read(file.name)
            if file.name.endswith(".parquet"):
                held += str(pq.read_table(pa.BufferReader(held)).to_pylist()).encode()
            if b"MARKER" in held + file.name.encode():
                found.append(file.name)
        return found

    assert naming()
    erase(archive, plan_erasure(archive, Criterion(agent=WHO), "asked for"))
    assert naming() == []
    assert {who for who, _ in agents(lake)} == {"other"}
