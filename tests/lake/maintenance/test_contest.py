"""The contest of writers and compactions, a short one: on the store whose writers meet over a network."""

from __future__ import annotations

from tests.lake.maintenance.contest import contest
from tests.object_store import S3Place


def test_no_row_is_lost_and_none_is_there_twice(s3_place: S3Place) -> None:
    figures = contest(s3_place.url, s3_place.options, 1, writers=2, compactions=2)
    assert figures["appends"] > 0
    assert figures["compactions"] > 0
