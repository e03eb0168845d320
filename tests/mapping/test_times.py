"""Times: forms, zones, and the two hours of a year that are no one moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import UsageError
from tests.mapping.reference import Bad, Want, convert
from tests.mapping.samples import column, text_frame

REFUSED = "mapping(at)"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "form", "wanted"),
    [
        ("2026-06-01T12:00:00Z", {}, NOON),
        ("2026-06-01 14:00:00+02:00", {}, NOON),
        ("2026-06-01T12:00:00.000000999Z", {}, NOON),
        ("20260601T120000Z", {}, NOON),
        ("2026-06-01T12:00:00", {}, REFUSED),
        ("2026-06-01T14:00:00", {"zone": "Europe/Berlin"}, NOON),
        ("2026-06-01T12:00:00Z", {"zone": "Europe/Berlin"}, NOON),
        ("2026-03-29T02:30:00", {"zone": "Europe/Berlin"}, REFUSED),
        ("2026-10-25T02:30:00", {"zone": "Europe/Berlin"}, REFUSED),
        ("2026-10-25T02:30:00+02:00", {"zone": "Europe/Berlin"}, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (1780315200, {}, REFUSED),
        (1780315200, {"time": "epoch_s"}, NOON),
        ("1780315200.5", {"time": "epoch_s"}, NOON + timedelta(seconds=0.5)),
        (1780315200000, {"time": "epoch_ms"}, NOON),
        (1780315200000000, {"time": "epoch_us"}, NOON),
        (1780315200000000, {"time": "epoch_s"}, REFUSED),
        (2**63, {"time": "epoch_us"}, REFUSED),
        (float("nan"), {"time": "epoch_s"}, REFUSED),
        (True, {"time": "epoch_s"}, REFUSED),
        ("01/06/2026 14:00:00", {"time": "%d/%m/%Y %H:%M:%S", "zone": "Europe/Berlin"}, NOON),
        ("01/06/2026 14:00 +0200", {"time": "%d/%m/%Y %H:%M %z"}, NOON),
        ("31/06/2026 14:00:00", {"time": "%d/%m/%Y %H:%M:%S", "zone": "UTC"}, REFUSED),
        ("01/06/2026", {"time": "%d/%m/%Y", "zone": "UTC"}, datetime(2026, 6, 1, tzinfo=UTC)),
        ("1.6.26 12:00:00.5", {"time": "%d.%m.%y %H:%M:%S%.f", "zone": "UTC"}, NOON + timedelta(seconds=0.5)),
        ("", {"zone": "UTC"}, None),
    ],
)  # fmt: skip
def test_a_time(value: Any, form: dict[str, Any], wanted: Any) -> None:
    assert column([{"t": value}], "at", {"field": "t", **form}) == [wanted]


def test_a_text_that_an_expression_makes_may_be_a_time() -> None:
    frame = text_frame([{"d": "2026-06-01", "h": "12:00"}], ["d", "h"])
    form = {"expr": 'concat_str(col("d"), col("h"), separator=" ")', "time": "%Y-%m-%d %H:%M", "zone": "UTC"}
    assert column(frame, "at", form) == [NOON]


def test_times_of_a_typed_column() -> None:
    plain = pl.DataFrame({"t": [datetime(2026, 6, 1, 14), None]})
    assert column(plain, "at", "t") == [REFUSED, None]
    assert column(plain, "at", {"field": "t", "zone": "Europe/Berlin"}) == [NOON, None]
    zoned = plain.select(pl.col("t").dt.replace_time_zone("Europe/Berlin").dt.cast_time_unit("ns"))
    assert column(zoned, "at", "t") == [NOON, None]
    days = pl.DataFrame({"t": [NOON.date()]})
    assert column(days, "at", {"field": "t", "zone": "UTC"}) == [datetime(2026, 6, 1, tzinfo=UTC)]
    objects = [{"t": NOON}, {"t": NOON.astimezone(timezone(timedelta(hours=3)))}, {"t": datetime(2026, 6, 1)}]
    assert column(objects, "at", "t") == [NOON, NOON, REFUSED]


moments = st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)).map(
    lambda one: one.replace(microsecond=one.microsecond // 1000 * 1000)
)
written = st.one_of(
    moments.map(lambda one: one.isoformat()),
    moments.map(lambda one: one.isoformat(" ") + "Z"),
    moments.map(lambda one: one.isoformat(timespec="milliseconds") + "+05:30"),
    st.sampled_from(["2026-03-29T02:30:00", "2026-10-25 02:59:59", "2026-13-01T00:00:00Z", "soon"]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(written, min_size=1, max_size=20), st.sampled_from([None, "Europe/Berlin", "America/New_York"])
)
def test_many_texts_at_once_are_read_as_one_by_one(texts: list[str], zone: str | None) -> None:
    form = {"field": "t"} if zone is None else {"field": "t", "zone": zone}
    wanted = []
    for text in texts:
        try:
            wanted.append(convert(text, form, Want("time")))
        except Bad:
            wanted.append(REFUSED)
    assert column(text_frame([{"t": text} for text in texts], ["t"]), "at", form) == wanted


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ({"time": "%d/%m/%Y"}, "zone: UTC"),
        ({"time": "epoch"}, "epoch_ms"),
        ({"time": "epoch_s", "zone": "UTC"}, "takes no zone"),
        ({"time": "%H:%M", "zone": "UTC"}, "names no day"),
        ({"time": "%q %", "zone": "UTC"}, "names no day"),
        ({"zone": "Mars/Base"}, "Europe/Berlin"),
    ],
)
def test_a_form_of_time_that_cannot_be(form: dict[str, str], wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        column([{}], "at", {"field": "t", **form})
    assert wanted in str(caught.value)
