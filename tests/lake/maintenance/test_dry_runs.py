"""A dry run writes nothing: what is stored is the same before and after, to the byte and the second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lake import Lake
from lake.maintenance.retain import retain
from replaylake.flows.auditing import audit_archive
from tests.cli.command import ok
from tests.lake.places import PLACES, lake_in
from tests.lake.retention.days import AGED, TODAY, fill
from tests.object_store import S3Place

_OPTIONS = {
    "compact": ("--all",),
    "vacuum": ("--all", "--keep", "0", "--grace", "0"),
    "retain": ("--all",),
    "erase": ("demo", "--where", "step = 1"),
}


def stored(lake: Lake) -> list[tuple[Any, ...]]:
    """Describe all that a lake holds, and the folders that it has on a disk."""
    store = lake.archive("demo").lake_store
    files = [(file.name, file.modified, store.read(file.name)) for file in store.files()]
    if store.is_remote:
        return sorted(files)
    return [*sorted(files), *sorted((path, path.stat().st_mtime_ns) for path in lake.folder.rglob("*"))]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_stored_stays_as_it_was(
    place: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_in(place, request, tmp_path)
    archive = lake.create("demo", spec=AGED)
    fill(archive, 1, 1, 8)
    archive.snapshot()
    audit_archive(lake, "demo")
    retain(archive, today=TODAY)
    archive.compact()
    fill(archive, 1, 2, 9)
    if place == "s3":
        s3: S3Place = request.getfixturevalue("s3_place")
        monkeypatch.setenv("REPLAYLAKE_LAKE_OPTIONS", json.dumps(s3.options))
    for verb, options in _OPTIONS.items():
        before = stored(lake)
        said = ok("maintain", verb, *options, "--dry-run", "--lake", lake.url, "--json").document
        assert any(_numbers(said)), verb  # there is something to be done
        assert stored(lake) == before, verb


def _numbers(said: Any) -> list[int]:
    if isinstance(said, dict | list):
        values = said.values() if isinstance(said, dict) else said
        return [number for value in values for number in _numbers(value)]
    return [said] if type(said) is int else []
