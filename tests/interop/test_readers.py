"""Polars, DuckDB, and pandas with fastparquet read just what was written; Spark does under `make interop`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.s3.server import Server
from lake import Lake
from tests.interop.reading import READERS, read_back
from tests.interop.writing import write
from tests.object_store import new_place

Written = tuple[Path, Mapping[str, str]]


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("interop")
    write(Lake(folder / "lake"), folder / "written.json")
    return folder / "written.json", {}


@pytest.fixture(scope="module")
def on_s3(tmp_path_factory: pytest.TempPathFactory, s3_server: Server) -> Written:
    document, place = tmp_path_factory.mktemp("interop") / "written.json", new_place(s3_server)
    write(Lake(place.url, place.options), document)
    return document, place.options


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("where", ["on_disk", "on_s3"])
def test_another_library_reads_just_what_was_written(
    reader: str, where: str, request: pytest.FixtureRequest
) -> None:
    document, options = request.getfixturevalue(where)
    compared = read_back(reader, document, options)
    tables = json.loads(document.read_text(encoding="utf-8"))["tables"]
    assert compared["tables"] == len(tables) == 4
    assert compared["rows"] == sum(len(table["rows"]) for table in tables)
    asked = sum(len(table["conditions"]) for table in tables)
    assert compared.get("conditions", 0) == (0 if reader == "fastparquet" else asked)


def test_what_differs_is_found_and_that_something_of_ours_is_there(on_disk: Written, tmp_path: Path) -> None:
    written = json.loads(on_disk[0].read_text(encoding="utf-8"))
    plain, nested, streamed, quarantine = written["tables"]
    plain["rows"][3]["reward"] = "float 0.25"
    nested["rows"].append(nested["rows"][0] | {"event_id": "nowhere"})
    streamed["conditions"][0]["keys"] = [17]
    quarantine["rows"][0]["raw"] = None
    (tmp_path / "other.json").write_text(json.dumps(written), encoding="utf-8")
    (tmp_path / "sitecustomize.py").write_text("import schemas\n")  # runs when Python starts
    with pytest.raises(AssertionError) as refused:
        read_back("duckdb", tmp_path / "other.json", {}, variables={"PYTHONPATH": str(tmp_path)})
    _, *problems = str(refused.value).splitlines()
    expected = (
        "plain.steps plain-003: reward is 'float inf', not 'float 0.25'",
        "nested.steps: 32 rows, not 33; too many [], missing ['nowhere']",
        "streamed.steps where ('stream_offset', '>=', 3): [4], not [17]",
        "streamed.quarantine 1: raw is 'bytes ff00206e6f7468696e67', not None",
        "DuckDB does not read alone: ['schemas'",
    )
    assert len(problems) == len(expected)
    for problem, said in zip(problems, expected, strict=True):
        assert problem.startswith(said)
