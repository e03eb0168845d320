"""A file of events through `replaylake publish`: what is wrong with one event harms no other."""

from __future__ import annotations

from pathlib import Path

from lake import Lake
from replaylake import ingest_once, publish_files
from tests.timeline.events import ARCHIVE
from tests.timeline.test_command import MAPPING, event, view


def test_a_clock_far_ahead_makes_no_other_event_late(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    archive = lake.create("shop", spec=ARCHIVE)
    (tmp_path / "shop.yaml").write_text(MAPPING)
    ahead = view(1, "x").replace(b"2026-05-29", b"2200-05-29")
    lines = [
        view(0, "i"),
        ahead,
        view(2, "j"),
        event("click", 3, impression="i", worth=2),
        event("logout", 4),
    ]
    (tmp_path / "log.ndjson").write_bytes(b"\n".join(lines))
    report = publish_files(archive, tmp_path / "log.ndjson", mapping=tmp_path / "shop.yaml")
    assert (report.records, report.steps, report.refused) == (5, 2, 1)
    assert dict(ingest_once(lake).reasons) == {"clock_skew": 1}
    assert lake.sql("select reward from shop.steps order by step").rows() == [(2.0,), (0.0,)]
