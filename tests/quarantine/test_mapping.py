"""Records that a mapping refused are replayed by a mended one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from ingest import EmbeddedStream
from ingest.records import Mapped, Records, Refused
from ingest.sources.options import SourceOptions
from lake import Archive, QuarantineChoice
from replaylake.flows.quarantine import replay_quarantine
from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Topic
from schemas.wire import refused_headers
from tests.ingest.samples import SPEC, drain, make_archive, make_intake, make_stream, step
from tests.quarantine.samples import at, origins, rows_of


class Clicks:
    """Map a click `{"user", "n", "paid"}` to a step; one that paid nothing makes none."""

    def __init__(self, source: Mapping[str, Any] | None = None) -> None:
        self.source = SourceOptions.model_validate(source or {})

    def apply(self, records: Records, spec: ArchiveSpec) -> Mapped:
        fields = records.fields
        rows = fields.to_dicts() if isinstance(fields, pl.DataFrame) else fields
        table, kept, refused = [], [], []
        for index, row in enumerate(rows):
            try:
                table.append(self._step(row, records.ids[index].as_py()))
                kept.append(index)
            except (KeyError, TypeError, ValueError) as exc:
                refused.append(Refused(records.raw(index), "mapping(reward)", repr(exc)))
        return Mapped(pa.Table.from_pylist(table), np.array(kept, dtype=np.int64), tuple(refused))

    def _step(self, row: Mapping[str, Any], own_id: str) -> dict[str, Any]:
        numbered = row["n"] is not None
        return {
            "event_id": None if numbered else own_id,
            "episode_id": row["user"],
            "step": int(row["n"]) if numbered else None,
            "observation": [0.0, 0.0],
            "action": 1,
            "reward": float(row["paid"]),
            "terminated": False,
            "truncated": False,
        }


def refuse(stream: EmbeddedStream, topic: Topic, *raws: bytes) -> None:
    """Publish records as a stage before the topic does that could make no step of them."""
    producer = stream.producer()
    for raw in raws:
        producer.send(topic.name, raw, headers=refused_headers("mapping(reward)", "no reward"), partition=0)
    producer.close()


def refused(folder: Path, *raws: bytes) -> Archive:
    """Return an archive that holds refused records in quarantine."""
    archive = make_archive(folder)
    stream, topic = make_stream(folder)
    with stream:
        refuse(stream, topic, *raws)
        drain(stream, make_intake(archive, topic))
    return archive


def click(user: str, number: int | None, paid: Any) -> bytes:
    return json.dumps({"user": user, "n": number, "paid": paid}).encode()


def test_refused_records_land_by_a_mended_mapping(tmp_path: Path) -> None:
    archive = refused(tmp_path, click("u", 0, 1), click("u", 1, "none"), click("u", 2, "2.5"), b"\xff")
    without = replay_quarantine(archive)
    assert (without.landed, without.reasons) == (0, {"mapping(reward)": 4})

    report = replay_quarantine(archive, mapping=Clicks())
    assert (report.landed, report.failed) == (2, 2)
    assert report.reasons == {"mapping(reward)": 1, "not_a_record": 1}
    assert origins(archive, "steps") == at(0, 2)
    assert origins(archive, "quarantine") == at(1, 3)
    found = rows_of(archive, "select episode_id, step, reward from demo.steps order by step")
    assert found == [("u", 0, 1.0), ("u", 2, 2.5)]
    assert replay_quarantine(archive, mapping=Clicks()).landed == 0


def test_what_lands_has_its_message_s_time(tmp_path: Path) -> None:
    archive = refused(tmp_path, click("u", 0, 1))
    (held,) = rows_of(archive, "select event_time, date from demo.quarantine")
    replay_quarantine(archive, mapping=Clicks())
    assert rows_of(archive, "select event_time, date from demo.steps") == [held]
    assert held[0] is not None


def test_a_record_without_a_key_is_named_by_its_origin(tmp_path: Path) -> None:
    archive = refused(tmp_path, click("u", None, 1), click("u", None, 1))
    assert replay_quarantine(archive, mapping=Clicks()).landed == 2
    assert rows_of(archive, "select event_id from demo.steps order by 1") == [
        (f"{SPEC.topic}/0/0/0",),
        (f"{SPEC.topic}/0/1/0",),
    ]


def test_a_step_of_a_wrong_type_may_be_mapped_and_one_that_decodes_is_not(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        producer = stream.producer()
        for record in (step(1, reward=[]), step(2, action=9)):
            producer.send(topic.name, json.dumps(record).encode(), partition=0)
        producer.close()
        drain(stream, make_intake(archive, topic))

    class Zero(Clicks):
        def _step(self, row: Mapping[str, Any], own_id: str) -> dict[str, Any]:
            return super()._step({"user": "x", "n": row["step"], "paid": 0}, own_id)

    report = replay_quarantine(archive, mapping=Zero())
    assert (report.landed, report.reasons) == (1, {"in_space(action)": 1})
    assert rows_of(archive, "select episode_id, step, reward from demo.steps") == [("x", 1, 0.0)]


def test_lines_of_csv_are_read_by_the_columns_that_the_mapping_names(tmp_path: Path) -> None:
    archive = refused(tmp_path, b'u,0,"1.5"', b"u,1", b"u,2,NA")
    unnamed = replay_quarantine(archive, mapping=Clicks({"format": "csv"}))
    assert unnamed.reasons == {"not_a_record": 3}
    named = Clicks({"format": "csv", "csv": {"columns": ["user", "n", "paid"], "nulls": ["NA"]}})
    report = replay_quarantine(archive, mapping=named)
    assert (report.landed, report.reasons) == (1, {"not_a_record": 1, "mapping(reward)": 1})
    assert rows_of(archive, "select step, reward from demo.steps") == [(0, 1.5)]


def test_a_record_that_was_refused_is_never_taken_for_a_step_of_an_old_form(tmp_path: Path) -> None:
    old = {"state": [0, 0], "action": 1, "reward": 1, "done": False, "timestamp": 1_780_012_800}
    archive = refused(tmp_path, json.dumps(old).encode())
    assert replay_quarantine(archive).reasons == {"mapping(reward)": 1}
    assert origins(archive, "steps") == Counter()


def test_only_the_chosen_records_are_mapped(tmp_path: Path) -> None:
    archive = refused(tmp_path, click("u", 0, 1), click("u", 1, 1))
    choice = QuarantineChoice(ids=(f"{SPEC.topic}/0/1/0",))
    assert replay_quarantine(archive, choice, mapping=Clicks()).landed == 1
    assert origins(archive, "steps") == at(1)
