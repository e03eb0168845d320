"""A lake wherever lakes can be, for the tests that hold for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake import Lake
from tests.object_store import S3Place

PLACES = ("local", "s3")


def lake_in(place: str, request: pytest.FixtureRequest, folder: Path) -> Lake:
    """Open an empty lake in a folder of a disk, or on the S3 server."""
    if place == "local":
        return Lake(folder / "lake")
    s3: S3Place = request.getfixturevalue("s3_place")
    return Lake(s3.url, s3.options)
