"""Times, many at once and one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from schemas.step import TIMESTAMP
from schemas.times import TimeError, event_time, event_times
from tests.schemas.strategies import moments

DAY = datetime(2026, 1, 1, tzinfo=UTC)


@given(moment=moments)
def test_iso_8601_is_read_by_both(moment: datetime) -> None:
    text = moment.isoformat()
    assert event_time(text) == moment
    assert event_times(pa.array([text, None])).to_pylist() == [moment, None]
    assert event_times(pa.array([moment, None], TIMESTAMP)).to_pylist() == [moment, None]


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1767225600, DAY),
        (1767225600.25, DAY + timedelta(milliseconds=250)),
        (1767225600123, DAY + timedelta(milliseconds=123)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (np.int64(1767225600), DAY),
        (np.float32(0.5), datetime(1970, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("2026-01-01T01:30:00+01:30", DAY),
        ("2025-12-31 19:00-05:00", DAY),
        (datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), DAY),
    ],
)
def test_each_way_to_write_a_time(value: Any, moment: datetime) -> None:
    assert event_time(value) == moment
    assert event_times(pa.array([value, None])).to_pylist() == [moment, None]


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-01T00:00:00",
        "2026-01-01",
        "yesterday",
        "",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        datetime(2026, 1, 1),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
        float("nan"),
        float("inf"),
        1e300,
        2**63,
        10**400,
        -(10**15),
        1_767_225_600_000_000,  # microseconds
        True,
        b"2026",
        [1],
        {},
        object(),
    ],
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(TimeError):
        event_time(value)


@pytest.mark.parametrize(
    ("unit", "ticks", "micros"),
    [
        ("s", [-1, 253402300799, None], [-1_000_000, 253402300799_000_000, None]),
        ("ms", [-1, 1], [-1_000, 1_000]),
        ("us", [-62135596800_000_000], [-62135596800_000_000]),
        ("ns", [1_999, -1, -1_000, None], [1, -1, -1, None]),  # cut, to the earlier one
        ("ns", [], []),
    ],
)
def test_other_units_become_microseconds(unit: str, ticks: list[Any], micros: list[Any]) -> None:
    times = pa.array(ticks, pa.int64()).cast(pa.timestamp(unit, "Asia/Tokyo"))
    found = event_times(times)
    assert found.type == TIMESTAMP
    assert found.cast(pa.int64()).to_pylist() == micros
    assert event_times(pa.concat_arrays([times, times]).slice(len(times))).equals(found)


@pytest.mark.parametrize(
    ("unit", "tick"), [("s", 2**62), ("s", 253402300800), ("ms", -(2**62)), ("us", 2**62)]
)
def test_a_time_beyond_the_calendar_is_refused_and_never_wraps(unit: str, tick: int) -> None:
    with pytest.raises(TimeError, match="outside the years 1 to 9999"):
        event_times(pa.array([0, tick], pa.int64()).cast(pa.timestamp(unit, "UTC")))


@pytest.mark.parametrize("values", [[float("nan")], [1e300], [10**15]])
def test_numbers_that_are_no_time_are_refused_in_bulk(values: list[Any]) -> None:
    with pytest.raises(TimeError):
        event_times(pa.array(values))
