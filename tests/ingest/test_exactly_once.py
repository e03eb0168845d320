"""The rules of exactly-once (docs/architecture.md), one by one: each test fails when its rule is broken."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from ingest import FlushPolicy, PollPolicy
from ingest.worker import key_window as key_window_module
from lake import Archive, ArchiveLanding, Lake
from schemas.archive_spec import ArchiveSpec
from schemas.errors import CommitConflictError, PositionLostError
from schemas.protocols import Bounds, Message, Move, Partition, TableName
from tests.ingest.samples import (
    DAY,
    NO_REWARD_OVER,
    SPEC,
    drain,
    landed,
    make_archive,
    make_intake,
    make_stream,
    quarantined,
    send,
    step,
)

HOME = Partition(SPEC.topic, 0)


class Crash(Exception):
    """Stand for the end of the process."""


class CrashingLanding(ArchiveLanding):
    """Land like the real one, but let the process die before the commit to one table."""

    def __init__(self, archive: Archive, before: TableName) -> None:
        super().__init__(archive)
        self._before = before

    def commit(
        self, table: TableName, rows: pa.Table, moves: Mapping[str, Move], metadata: Mapping[str, str]
    ) -> int:
        if table == self._before:
            raise Crash
        return super().commit(table, rows, moves, metadata)


def messages(*records: dict[str, Any], first: int = 0) -> list[Message]:
    """Return messages as the stream would deliver them."""
    return [
        Message(SPEC.topic, 0, first + place, DAY * 1000, None, json.dumps(record).encode(), ())
        for place, record in enumerate(records)
    ]


def land(intake: Any) -> None:
    flush = intake.detach()
    intake.land(flush)
    intake.settle(flush)


# Rule 1: positions


def test_a_topic_that_was_made_again_is_read_from_its_start(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, step(1), step(2), step(3))
        drain(stream, make_intake(archive, topic))
        stream.delete_topic(topic.name)
        again = stream.create_topic(topic.name, 1)
        send(stream, again, step(4))
        drain(stream, make_intake(archive, again))
    assert landed(archive) == Counter([1.0, 2.0, 3.0, 4.0])


def test_a_message_never_splits_across_commits(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        for first in range(0, 300, 100):
            lines = [json.dumps(step(number)) for number in range(first, first + 100)]
            send(stream, topic, "\n".join(lines).encode())
        drain(stream, make_intake(archive, topic), FlushPolicy(rows=7), PollPolicy(messages=1))
    files = DeltaTable(str(archive.folder / "steps")).file_uris()
    assert len(files) == 3
    assert sum(landed(archive).values()) == 300


def test_a_position_that_the_stream_has_lost_stops_loudly_with_the_range(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, step(1), step(2))
        drain(stream, make_intake(archive, topic))
        send(stream, topic, step(3), step(4), step(5))
        stream.trim(HOME, 4)
        with pytest.raises(PositionLostError, match="offsets 2 to 3 are gone"):
            drain(stream, make_intake(archive, topic))
    assert landed(archive) == Counter([1.0, 2.0])


# Rule 2: quarantine first, then steps, through a pinned handle


def test_a_stale_writer_lands_nothing(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    _, topic = make_stream(tmp_path)
    stale, live = make_intake(archive, topic), make_intake(archive, topic)
    for intake in (stale, live):
        intake.start({HOME: Bounds(0, 0)})
        intake.take(intake.examine(messages(step(1), step(2))))
    land(live)
    with pytest.raises(CommitConflictError):
        land(stale)
    assert landed(archive) == Counter([1.0, 2.0])


def test_a_stale_writer_that_refreshes_in_between_lands_nothing(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    _, topic = make_stream(tmp_path)
    stale, live = make_intake(archive, topic), make_intake(archive, topic)
    for intake in (stale, live):
        intake.start({HOME: Bounds(0, 0)})
        intake.take(intake.examine(messages(step(1), step(2))))
    land(live)
    flush = stale.detach()
    assert flush is not None
    stale.landed(HOME)  # looks at the newest version
    with pytest.raises(CommitConflictError):
        stale.land(flush)
    assert landed(archive) == Counter([1.0, 2.0])


def test_a_stale_writer_leaves_no_file_behind(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    _, topic = make_stream(tmp_path)
    stale, live = make_intake(archive, topic), make_intake(archive, topic)
    for intake in (stale, live):
        intake.start({HOME: Bounds(0, 0)})
        intake.take(intake.examine(messages(step(1), step(2, action=9))))
    land(live)
    with pytest.raises(CommitConflictError):
        land(stale)
    for table in ("steps", "quarantine"):
        known = DeltaTable(str(archive.folder / table)).file_uris()
        assert len(list((archive.folder / table).rglob("*.parquet"))) == len(known)


def test_two_workers_of_different_suites_never_put_a_row_into_both_tables(tmp_path: Path) -> None:
    """The strict one dies between its two commits; the lenient one, thought dead, wakes up."""
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        records = [step(10), step(99), step(20)]
        send(stream, topic, *records)
        lenient = make_intake(archive, topic)
        strict = make_intake(archive, topic, NO_REWARD_OVER, CrashingLanding(archive, "steps"))
        for intake in (lenient, strict):
            intake.start({HOME: Bounds(0, 0)})
            intake.take(intake.examine(messages(*records)))
        with pytest.raises(Crash):
            land(strict)
        with pytest.raises(CommitConflictError):
            land(lenient)
        drain(stream, make_intake(archive, topic))
    assert landed(archive) == Counter([10.0, 20.0])
    assert quarantined(archive) == Counter([99.0])


# Rule 3: what quarantine holds beyond the steps is the verdict


@pytest.mark.parametrize("suite_after", [None, NO_REWARD_OVER])
@pytest.mark.parametrize("suite_before", [None, NO_REWARD_OVER])
@pytest.mark.parametrize("crash_before", ["quarantine", "steps"])
def test_a_crash_between_the_commits_and_another_suite_lose_and_double_nothing(
    tmp_path: Path,
    crash_before: TableName,
    suite_before: dict[str, Any] | None,
    suite_after: dict[str, Any] | None,
) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        rewards = [10.0, 99.0, 20.0, 77.0]
        send(stream, topic, *(step(int(reward)) for reward in rewards), step(5, action=7))
        dying = make_intake(archive, topic, suite_before, CrashingLanding(archive, crash_before))
        with pytest.raises(Crash):
            drain(stream, dying)
        send(stream, topic, step(30))  # the next flush reaches beyond what was settled
        drain(stream, make_intake(archive, topic, suite_after))
    judged_by = suite_before if crash_before == "steps" else suite_after
    refused = [reward for reward in rewards if judged_by and reward > 50] + [5.0]
    assert quarantined(archive) == Counter(refused)
    assert landed(archive) == Counter([*rewards, 30.0]) - Counter(refused)


# Rule 4: the hashes of spec and suite are in every commit


def test_every_commit_names_the_spec_and_the_suite_it_was_judged_by(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, step(1), step(2, action=9))
        intake = make_intake(archive, topic, NO_REWARD_OVER)
        drain(stream, intake)
    for table in ("steps", "quarantine"):
        commit = DeltaTable(str(archive.folder / table)).history(1)[0]
        assert commit["replaylake.spec"] == archive.spec.hash
        assert len(commit["replaylake.suite"]) == 16


# Rule 5: poison goes to quarantine, and the flow goes on


def test_poison_is_kept_with_its_bytes_and_the_flow_goes_on(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, step(1), b"\x00\xffgarbage", b"", step(2), b'{"version": 3}', step(3))
        report = drain(stream, make_intake(archive, topic))
    assert landed(archive) == Counter([1.0, 2.0, 3.0])
    assert report.reasons == {"undecodable": 2, "unsupported_version": 1}
    rows = _quarantine(archive)
    assert [(row["stream_offset"], row["raw"]) for row in rows] == [
        (1, b"\x00\xffgarbage"),
        (2, b""),
        (4, b'{"version": 3}'),
    ]
    assert all(row["detail"] and row["suite_hash"] for row in rows)


def test_a_clock_in_1970_or_2200_goes_to_quarantine(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, step(1, event_time=7), step(2, event_time="2200-01-01T00:00:00Z"), step(3))
        report = drain(stream, make_intake(archive, topic))
    assert landed(archive) == Counter([3.0])
    assert report.reasons == {"clock_skew": 2}


def test_a_commit_opens_no_more_partitions_than_the_spec_allows(tmp_path: Path) -> None:
    spec = ArchiveSpec(**{**dict(SPEC), "max_partitions_per_commit": 3})
    archive = make_archive(tmp_path, spec)
    stream, topic = make_stream(tmp_path)
    with stream:
        many = [step(day, event_time=DAY - day * 86_400) for day in range(10)]
        send(stream, topic, *many, *(step(number, event_time=DAY) for number in range(10, 15)))
        report = drain(stream, make_intake(archive, topic))
    assert report.accepted == 8
    assert report.reasons == {"too_many_partitions": 7}
    assert len(list((archive.folder / "steps").glob("date=*"))) == 3
    assert sum((landed(archive) + quarantined(archive)).values()) == 15


# Rule 6: duplicates


def test_a_duplicate_is_dropped_and_counted_also_by_another_worker(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, step(1), step(1), step(2))
        assert drain(stream, make_intake(archive, topic)).duplicates == 1
        send(stream, topic, step(2), step(3))
        report = drain(stream, make_intake(archive, topic))
    assert (report.accepted, report.duplicates) == (1, 1)
    assert landed(archive) == Counter([1.0, 2.0, 3.0])


def test_one_key_with_other_content_goes_to_quarantine(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, step(1), step(1, reward=50.0), step(1))
        report = drain(stream, make_intake(archive, topic))
        send(stream, topic, step(1, reward=60.0))
        later = drain(stream, make_intake(archive, topic))
    assert (report.accepted, report.duplicates) == (1, 1)
    assert report.reasons == later.reasons == {"key_conflict": 1}
    assert landed(archive) == Counter([1.0])
    assert quarantined(archive) == Counter([50.0, 60.0])


def test_a_duplicate_in_the_same_flush_but_another_poll_is_dropped(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, step(1), step(2), step(1), step(2, reward=9.0))
        report = drain(stream, make_intake(archive, topic), poll=PollPolicy(messages=1))
    assert (report.accepted, report.duplicates) == (2, 1)
    assert report.reasons == {"key_conflict": 1}


def test_an_outside_id_is_the_key_where_there_is_one(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        first = step(1, event_id="a", episode_id=None)
        send(stream, topic, first, first, step(2, event_id="b", episode_id=None), step(3, source="x"))
        send(stream, topic, step(3, source="y"))
        report = drain(stream, make_intake(archive, topic))
    assert (report.accepted, report.duplicates) == (4, 1)


def test_equal_hashes_of_different_keys_cost_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = key_window_module.key_hashes
    monkeypatch.setattr(key_window_module, "key_hashes", lambda rows: real(rows) % 3)
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, *(step(number) for number in range(40)), step(7))
        report = drain(stream, make_intake(archive, topic), poll=PollPolicy(messages=10))
        send(stream, topic, *(step(number) for number in range(35, 45)))
        later = drain(stream, make_intake(archive, topic))
    assert (report.accepted, report.duplicates) == (40, 1)
    assert (later.accepted, later.duplicates) == (5, 5)


# Rule 7: what quarantine keeps


def test_quarantine_keeps_what_decoded_and_where_it_came_from(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, step(1), step(2, action=9, event_id="outside-7"))
        drain(stream, make_intake(archive, topic))
    (row,) = _quarantine(archive)
    assert row["reasons"] == ["in_space(action)"]
    assert "9" in row["detail"]
    assert (row["event_id"], row["action"], row["observation"]) == ("outside-7", 9, [0.5, 1.0])
    place = (row["stream_topic"], row["stream_partition"], row["stream_offset"], row["stream_row"])
    assert place == (topic.name, 0, 1, 0)


# Rule 8: tables are only appended to


def test_the_worker_only_appends(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path)
    with stream:
        send(stream, topic, *(step(number) for number in range(20)), step(99, action=5))
        drain(stream, make_intake(archive, topic), FlushPolicy(rows=5), PollPolicy(messages=5))
    for table in ("steps", "quarantine"):
        log = DeltaTable(str(archive.folder / table))
        operations = [commit["operation"] for commit in log.history()]
        assert operations[-1] == "CREATE TABLE"
        assert set(operations[:-1]) == {"WRITE"}
        added = {path.name for path in (archive.folder / table).rglob("*.parquet")}
        assert {Path(uri).name for uri in log.file_uris()} == added


# Rule 9: bounded buffers


def test_a_backlog_is_landed_in_commits_of_bounded_size(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    stream, topic = make_stream(tmp_path, partitions=2)
    with stream:
        for partition in (0, 1):
            records = [step(number, episode_id=f"e{partition}") for number in range(500)]
            send(stream, topic, *records, partition=partition)
        report = drain(stream, make_intake(archive, topic), FlushPolicy(rows=100), PollPolicy(messages=40))
    assert report.accepted == 1000
    adds = DeltaTable(str(archive.folder / "steps")).get_add_actions()
    sizes = pa.table(adds)["num_records"].to_pylist()
    assert max(sizes) < 140


def _quarantine(archive: Archive) -> list[dict[str, Any]]:
    query = f"select * from {archive.name}.quarantine order by stream_offset"
    rows: list[dict[str, Any]] = Lake(archive.folder.parent).sql(query).arrow().to_pylist()
    return rows
