"""SQL reads a lake on a real S3 server as it does one on a disk."""

from __future__ import annotations

from datetime import timedelta

from lake import Lake
from replaylake.flows.auditing import audit_archive
from tests.lake.archives import DAY, SPEC, append, row
from tests.object_store import S3Place


def test_versions_days_returns_and_episodes(s3_place: S3Place) -> None:
    lake = Lake(s3_place.url, s3_place.options)
    archive = lake.create("demo", spec=SPEC)
    append(archive, row(0), row(1))
    append(archive, row(2, terminated=True, event_time=DAY + timedelta(days=1)))
    audit_archive(lake, "demo")

    def asked(query: str) -> list[tuple[object, ...]]:
        return lake.sql(query).rows()

    assert asked("select count(*) from demo.steps at (version => 1)") == [(2,)]
    assert asked("select count(*) from demo.transitions at (version => 1)") == [(1,)]
    first_day = "select step, next_observation[1] from demo.transitions where date = '2026-01-01' order by 1"
    assert asked(first_day) == [(0, 1.0), (1, 2.0)]
    assert asked("select step from demo.transitions where date > '2026-01-01'") == [(2,)]
    returns = "select discounted_return, return_ends from demo.returns(gamma := 0.5) order by step"
    assert asked(returns) == [(1.0, "terminated"), (2.0, "terminated"), (2.0, "terminated")]
    assert asked("select length, complete, gaps, audited_version from demo.episodes") == [(3, True, 0, 2)]
    assert asked("select count(*) from demo.quarantine") == [(0,)]
