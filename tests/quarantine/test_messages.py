"""Messages that did not decode when they came, and do today, as after an upgrade of the decoder."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lake import Archive
from replaylake.flows.quarantine import replay_quarantine
from schemas.step import quarantine_schema
from schemas.steps import Steps
from schemas.wire import encode_arrow
from tests.ingest.samples import SPEC, make_archive, make_stream, step
from tests.quarantine.samples import Origin, ingest, origins, rows_of

SENT = datetime.fromtimestamp(1_780_012_800, UTC)


def hold(archive: Archive, *raws: bytes, reason: str = "undecodable", sent: datetime | None = SENT) -> None:
    """Put bytes into quarantine, each a message of the second partition."""
    rows = [
        {
            "reasons": [reason],
            "detail": "an earlier decoder could not",
            "raw": raw,
            "event_time": sent,
            "stream_topic": SPEC.topic,
            "stream_partition": 1,
            "stream_offset": offset,
            "stream_row": 0,
            "ingested_at": SENT,
            "date": "2026-05-29",
        }
        for offset, raw in enumerate(raws)
    ]
    archive.table("quarantine").append(pa.Table.from_pylist(rows, quarantine_schema(archive.spec)), {}, {})


def message(*records: dict[str, Any]) -> bytes:
    """Write steps as one Arrow message."""
    times = [{**record, "event_time": None} for record in records]
    return encode_arrow(Steps.from_rows(times, SPEC))


def of_message(offset: int, rows: int) -> Counter[Origin]:
    """Return the origins of a message's rows."""
    return Counter((1, offset, row) for row in range(rows))


def test_a_message_lands_with_each_of_its_rows(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    hold(archive, message(step(1), step(2), step(3)), json.dumps(step(4, event_time=None)).encode())
    report = replay_quarantine(archive)
    assert (report.chosen, report.landed, report.failed) == (2, 2, 0)
    assert origins(archive, "steps") == of_message(0, 3) + of_message(1, 1)
    assert rows_of(archive, "select distinct event_time, date from demo.steps") == [(SENT, "2026-05-29")]
    assert origins(archive, "quarantine") == Counter()
    assert replay_quarantine(archive).chosen == 0


def test_a_message_with_a_row_that_fails_stays_whole(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    hold(archive, message(step(1), step(2, action=7)), message(step(3)))
    report = replay_quarantine(archive)
    assert (report.landed, report.reasons) == (1, {"in_space(action)": 1})
    assert origins(archive, "steps") == of_message(1, 1)


def test_a_message_with_a_row_that_clashes_stays_whole_and_gives_way_to_others(tmp_path: Path) -> None:
    """Step 2 of the first message would have come before that of the second."""
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        ingest(archive, stream, topic, step(1, reward=50.0))
    hold(archive, message(step(1), step(2)), message(step(2, reward=9.0)), message(step(2, reward=9.0)))
    report = replay_quarantine(archive)
    assert (report.landed, report.duplicates, report.failed) == (1, 1, 1)
    assert report.reasons == {"key_conflict": 1}
    assert rows_of(archive, "select step, reward from demo.steps order by 1") == [(1, 50.0), (2, 9.0)]


def test_a_message_without_a_row_stays(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    hold(archive, message())
    assert replay_quarantine(archive).reasons == {"undecodable": 1}


def test_records_of_version_1_without_a_time_are_named_by_their_own_places(tmp_path: Path) -> None:
    old = {"state": [0.0, 1.0], "action": 1, "reward": 1.0, "done": False, "agent_id": "a"}
    raw = json.dumps(old).encode()
    archive = make_archive(tmp_path)
    hold(archive, raw, raw, raw + b"\n" + raw)
    assert replay_quarantine(archive).landed == 3
    assert origins(archive, "steps") == of_message(0, 1) + of_message(1, 1) + of_message(2, 2)
    names = [name for (name,) in rows_of(archive, "select event_id from demo.steps order by 1")]
    assert names == [f"{SPEC.topic}/1/{place}" for place in ("0/0+0", "1/0+0", "2/0+0", "2/0+1")]


@pytest.mark.parametrize(("time", "reasons"), [(None, {}), ("2026-06-01T00:00:00Z", {"clock_skew": 1})])
def test_where_the_message_s_time_is_not_known_its_day_is(
    tmp_path: Path, time: str | None, reasons: dict[str, int]
) -> None:
    archive = make_archive(tmp_path)
    hold(archive, json.dumps(step(1, event_time=time)).encode(), sent=None)
    assert replay_quarantine(archive).reasons == reasons
    assert [str(day) for (day,) in rows_of(archive, "select date from demo.steps")] == (
        [] if reasons else ["2026-05-29"]
    )
