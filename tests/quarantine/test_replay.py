"""A replay lands what passes today, once, and keeps where it came from."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lake import QuarantineChoice
from replaylake.flows.quarantine import replay_quarantine
from schemas.archive_spec import ArchiveSpec
from schemas.errors import QueryError, UsageError
from tests.ingest.samples import DAY, SPEC, landed, make_stream, quarantined, step
from tests.quarantine.samples import LENIENT, at, ingest, origins, quarantine, rows_of


def test_after_a_mended_suite_rows_land_once_and_keep_their_origin(tmp_path: Path) -> None:
    archive = quarantine(tmp_path, step(1), step(99), step(2), step(70), step(3, action=7))
    assert landed(archive) == Counter([1.0, 2.0])
    nothing = replay_quarantine(archive)
    assert (nothing.chosen, nothing.landed, nothing.failed, nothing.replays) == (3, 0, 3, [])

    archive.change_suite(LENIENT)
    report = replay_quarantine(archive)
    assert (report.chosen, report.landed, report.failed) == (3, 2, 1)
    assert report.reasons == {"in_space(action)": 1}
    assert report.examples["in_space(action)"].startswith(f"{SPEC.topic}/0/4/0: ")
    assert origins(archive, "steps") == at(0, 1, 2, 3)
    assert origins(archive, "quarantine") == at(4)
    assert landed(archive) == Counter([1.0, 99.0, 2.0, 70.0])

    again = replay_quarantine(archive)
    assert (again.chosen, again.landed, again.replays) == (1, 0, [])
    assert landed(archive) == Counter([1.0, 99.0, 2.0, 70.0])


def test_what_lands_has_its_message_s_time_the_flags_of_today_and_a_new_ingestion(tmp_path: Path) -> None:
    archive = quarantine(tmp_path, step(99, event_time=None, info={"said": "x"}))
    before = datetime.now(UTC)
    archive.change_suite(
        {
            "name": "warns",
            "expectations": [
                {
                    "type": "expect_column_values_to_be_between",
                    "kwargs": {"column": "reward", "max_value": 50},
                    "severity": "warning",
                }
            ],
        }
    )
    (held,) = rows_of(archive, "select event_time, date, suite_hash from demo.quarantine")
    report = replay_quarantine(archive)
    assert (report.landed, report.flagged) == (1, 1)
    columns = "event_time, date, flags, quality_score, info, ingested_at"
    (found,) = rows_of(archive, f"select {columns} from demo.steps")
    assert found[:2] == held[:2]
    assert found[2:5] == (["between(reward)"], 0.0, '{"said":"x"}')
    assert found[5] >= before
    (kept,) = rows_of(archive, "select suite_hash, resolved_by, resolved_as from demo.quarantine_all")
    assert kept == (held[2], report.replays[0], "landed")


def test_garbage_stays_as_it_came(tmp_path: Path) -> None:
    garbage = [b"\x00\xffgarbage", b"", b'{"version": 3}', b'{"episode_id": ', b"\xff\xff\xff\xff torn"]
    archive = quarantine(tmp_path, *garbage, suite=LENIENT)
    report = replay_quarantine(archive)
    assert (report.landed, report.failed) == (0, 5)
    assert report.reasons == {"undecodable": 4, "unsupported_version": 1}
    assert [raw for (raw,) in rows_of(archive, "select raw from demo.quarantine order by stream_offset")] == (
        garbage
    )


def test_a_clock_that_was_wrong_stays_wrong(tmp_path: Path) -> None:
    archive = quarantine(tmp_path, step(1, event_time=7), step(99, event_time="2200-01-01T00:00:00Z"))
    archive.change_suite(LENIENT)
    report = replay_quarantine(archive)
    assert (report.landed, report.reasons) == (0, {"clock_skew": 2})


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (QuarantineChoice(), [0, 1, 2, 3]),
        (QuarantineChoice(reasons=("in_space(action)",)), [2, 3]),
        (QuarantineChoice(reasons=("in_space",)), [2, 3]),
        (QuarantineChoice(reasons=("in_spac",)), []),
        (QuarantineChoice(reasons=("between", "in_space(action)")), [0, 1, 2, 3]),
        (QuarantineChoice(sources=("it's",)), [1]),
        (QuarantineChoice(ids=(f"{SPEC.topic}/0/1/0", f"{SPEC.topic}/0/3")), [1, 3]),
        (QuarantineChoice(ids=(f"{SPEC.topic}/0/1/7", "other/0/1/0")), []),
        (QuarantineChoice(where="reward > 80 -- high"), [1]),
        (QuarantineChoice(where="reward > 80 or action = 7", reasons=("between",)), [1, 3]),
        (QuarantineChoice(since=date(2020, 1, 1), until=date(2020, 1, 2)), []),
        (QuarantineChoice(since=date(2020, 1, 1)), [0, 1, 2, 3]),
    ],
)
def test_a_choice_means_the_rows_that_meet_all_of_it(
    tmp_path: Path, choice: QuarantineChoice, expected: list[int]
) -> None:
    records = [step(60), step(90, source="it's"), step(2, action=7), step(70, action=7)]
    archive = quarantine(tmp_path, *records)
    report = replay_quarantine(archive, choice, dry_run=True)
    assert report.chosen == len(expected)
    archive.change_suite(LENIENT)
    replay_quarantine(archive, choice)
    good = [offset for offset in expected if offset < 2]
    assert origins(archive, "steps") == at(*good)


@pytest.mark.parametrize("where", ["reward >", "true) or (true", "nothing = 1", "1; select 2", ""])
def test_a_condition_that_is_none_is_refused(tmp_path: Path, where: str) -> None:
    archive = quarantine(tmp_path, step(99))
    with pytest.raises(QueryError, match="does not work"):
        replay_quarantine(archive, QuarantineChoice(where=where))


@pytest.mark.parametrize("row_id", ["", "x", "a/b/c/d", "a/0", "a/0/1/2/3", "a/-1/0/0"])
def test_an_id_that_is_none_is_refused(tmp_path: Path, row_id: str) -> None:
    archive = quarantine(tmp_path, step(99))
    with pytest.raises(UsageError, match="topic/partition/offset/row"):
        replay_quarantine(archive, QuarantineChoice(ids=(row_id,)))


def test_a_dry_run_says_what_would_land_and_lands_nothing(tmp_path: Path) -> None:
    archive = quarantine(tmp_path, step(99), step(98), step(97, action=7), step(1))
    archive.change_suite(LENIENT)
    report = replay_quarantine(archive, dry_run=True)
    assert (report.dry_run, report.landed, report.failed, report.replays) == (True, 2, 1, [])
    assert landed(archive) == Counter([1.0])
    assert sum(quarantined(archive).values()) == 3
    assert not (archive.folder / "replays").exists()


def test_a_limit_takes_the_first(tmp_path: Path) -> None:
    archive = quarantine(tmp_path, *(step(60 + number) for number in range(7)))
    archive.change_suite(LENIENT)
    assert replay_quarantine(archive, limit=3).landed == 3
    assert origins(archive, "steps") == at(0, 1, 2)
    assert replay_quarantine(archive, limit=10).landed == 4
    with pytest.raises(UsageError, match="limit 0"):
        replay_quarantine(archive, limit=0)


def test_batches_land_one_commit_each(tmp_path: Path) -> None:
    archive = quarantine(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        for first in range(0, 30, 10):
            ingest(archive, stream, topic, *(step(60 + first + number) for number in range(10)))
    archive.change_suite(LENIENT)
    seen: list[int] = []
    report = replay_quarantine(archive, batch_rows=10, on_progress=lambda done: seen.append(done.landed))
    assert (report.landed, len(report.replays), seen) == (30, 3, [10, 20, 30])
    assert origins(archive, "steps") == at(*range(30))


def test_rows_of_one_message_are_told_apart(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(step(number)) for number in (1, 99, 98, 2))
    archive = quarantine(tmp_path, lines.encode())
    archive.change_suite(LENIENT)
    replay_quarantine(archive, QuarantineChoice(ids=(f"{SPEC.topic}/0/0/2",)))
    assert origins(archive, "steps") == Counter([(0, 0, 0), (0, 0, 2), (0, 0, 3)])
    assert origins(archive, "quarantine") == Counter([(0, 0, 1)])


def test_a_topic_that_was_made_again_has_rows_of_its_own(tmp_path: Path) -> None:
    archive = quarantine(tmp_path, step(99))
    stream, topic = make_stream(tmp_path)
    with stream:
        stream.delete_topic(topic.name)
        ingest(archive, stream, stream.create_topic(topic.name, 1), step(98))
    archive.change_suite(LENIENT)
    replay_quarantine(archive, QuarantineChoice(where="reward = 98"))
    assert (landed(archive), quarantined(archive)) == (Counter([98.0]), Counter([99.0]))
    replay_quarantine(archive)
    assert (landed(archive), quarantined(archive)) == (Counter([98.0, 99.0]), Counter())


def test_partitions_beyond_the_limit_land_by_and_by(tmp_path: Path) -> None:
    spec = ArchiveSpec(**{**dict(SPEC), "max_partitions_per_commit": 2})
    many = [step(60 + day, event_time=DAY - day * 86_400) for day in range(5)]
    archive = quarantine(tmp_path, *many, spec=spec)
    archive.change_suite(LENIENT)
    reports = [replay_quarantine(archive) for _ in range(3)]
    assert [report.landed for report in reports] == [2, 2, 1]
    assert [report.reasons for report in reports] == [
        {"too_many_partitions": 3},
        {"too_many_partitions": 1},
        {},
    ]
    assert origins(archive, "steps") == at(*range(5))


# Duplicates


def test_a_row_that_has_landed_meanwhile_is_resolved_as_a_duplicate(tmp_path: Path) -> None:
    archive = quarantine(tmp_path, step(99), step(98))
    archive.change_suite(LENIENT)
    stream, topic = make_stream(tmp_path)
    with stream:
        ingest(archive, stream, topic, step(99), step(98, info="other"))
    report = replay_quarantine(archive)
    assert (report.landed, report.duplicates, report.failed) == (0, 1, 1)
    assert report.reasons == {"key_conflict": 1}
    assert origins(archive, "steps") == at(2, 3)
    assert origins(archive, "quarantine") == at(1)
    assert rows_of(archive, "select resolved_as from demo.quarantine_all where stream_offset = 0") == [
        ("duplicate",)
    ]


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_of_one_key_in_quarantine_the_first_lands(tmp_path: Path, batch_rows: int) -> None:
    archive = quarantine(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        for records in ((step(99),), (step(99), step(99, reward=80.0)), (step(99, reward=80.0),)):
            ingest(archive, stream, topic, *records)
    archive.change_suite(LENIENT)
    report = replay_quarantine(archive, batch_rows=batch_rows)
    assert (report.landed, report.duplicates, report.failed) == (1, 1, 2)
    assert report.reasons == {"key_conflict": 2}
    assert origins(archive, "steps") == at(0)
    assert origins(archive, "quarantine") == at(2, 3)


def test_a_row_that_clashed_stays_as_long_as_the_other_is_there(tmp_path: Path) -> None:
    archive = quarantine(tmp_path, step(1), step(1, reward=2.0))
    report = replay_quarantine(archive)
    assert (report.landed, report.reasons) == (0, {"key_conflict": 1})


def test_an_archive_without_quarantine_is_replayed_without_a_word(tmp_path: Path) -> None:
    archive = quarantine(tmp_path)
    found: dict[str, Any] = replay_quarantine(archive).to_dict()
    assert (found["chosen"], found["landed"], found["replays"]) == (0, 0, [])
