"""The check: a sound archive is sound, and whatever is wrong is named with its file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lake import Archive
from lake.maintenance.check import check_archive
from replaylake.flows.auditing import audit_archive
from schemas.protocols import Move
from schemas.spaces import Text
from tests.cli.command import call, ok
from tests.lake.archives import SPEC, append, landed_rows, make, row
from tests.lake.places import PLACES, lake_in


def codes(archive: Archive, *, deep: bool = False) -> list[tuple[str, str]]:
    return [(problem.code, problem.table) for problem in check_archive(archive, deep=deep).problems]


@pytest.mark.parametrize("place", PLACES)
def test_an_archive_that_lives_is_sound(place: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    lake = lake_in(place, request, tmp_path)
    archive = lake.create("demo", spec=SPEC)
    assert check_archive(archive, deep=True).is_sound
    append(archive, row(0), row(1))
    archive.evolve(SPEC.model_copy(update={"extras": {"mood": Text()}}))
    append(archive, row(2, mood="good"), row(3))
    archive.snapshot()
    audit_archive(lake, "demo")
    archive.compact()
    report = check_archive(archive, deep=True)
    assert report.problems == []
    assert (report.files, report.rows) == (2, 5)  # four steps and their episode


def only_file(archive: Archive) -> Path:
    [name] = archive.table("steps").file_names()
    return archive.folder / "steps" / name


def remove(path: Path) -> None:
    path.unlink()


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def scratch_end(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-12] + os.urandom(12))


@pytest.mark.parametrize(
    ("harm", "code"),
    [(remove, "missing_file"), (tear, "wrong_size"), (scratch_end, "unreadable")],
)
def test_a_harmed_file_is_named(tmp_path: Path, harm: Callable[[Path], None], code: str) -> None:
    _, archive = make(tmp_path)
    append(archive, *(row(step) for step in range(5)))
    harm(only_file(archive))
    [problem] = check_archive(archive).problems
    assert (problem.code, problem.table) == (code, "steps")
    assert problem.file == archive.table("steps").file_names()[0]
    assert "copy" in problem.mend


def test_a_flipped_bit_is_found_by_a_deep_check_alone(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *(row(step) for step in range(50)))
    path = only_file(archive)
    reward = pq.read_metadata(path).row_group(0).column(9)
    data = bytearray(path.read_bytes())
    data[reward.data_page_offset + reward.total_compressed_size - 1] ^= 4
    path.write_bytes(data)
    assert codes(archive) == []
    assert codes(archive, deep=True) == [("unreadable", "steps")]


def tell_of(archive: Archive, **said: object) -> None:
    """Let the log say something else of the one file of the steps."""
    commit = sorted((archive.folder / "steps" / "_delta_log").glob("*.json"))[-1]
    lines = [json.loads(line) for line in commit.read_text().splitlines()]
    for line in lines:
        line.get("add", {}).update(said)
    commit.write_text("\n".join(map(json.dumps, lines)))


def test_a_log_that_says_something_else_is_found(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0), row(1))
    tell_of(archive, stats=json.dumps({"numRecords": 5}))
    assert codes(archive) == [("wrong_rows", "steps")]


def test_rows_of_another_day_are_found(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    archive.table("steps").append(landed_rows(SPEC, 2, date="2026-01-02"), {}, {})
    assert codes(archive) == []
    [problem] = check_archive(archive, deep=True).problems
    assert (problem.code, problem.what) == ("wrong_partition", "2 rows are of another day than 2026-01-02")


def test_keys_that_are_there_twice_are_found(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0))
    append(archive, row(0), row(0, reward=5.0))
    assert codes(archive) == []
    [problem] = check_archive(archive, deep=True).problems
    assert problem.code == "duplicate_keys"
    assert "2 rows of 2026-01-01 have a key that another row has, 1 of them with other" in problem.what
    assert problem.mend == "Run: replaylake maintain compact demo"
    archive.compact()
    assert codes(archive, deep=True) == []


def test_a_snapshot_without_its_files_is_found(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0))
    snapshot = archive.snapshot()
    lost = only_file(archive)
    append(archive, row(1))
    archive.compact()
    lost.unlink()
    [problem] = check_archive(archive).problems
    assert (problem.code, problem.table) == ("missing_file", "snapshots")
    assert snapshot.id in problem.what


def test_positions_that_run_ahead_and_lists_that_are_gone_are_found(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0))
    audit_archive(lake, "demo")
    archive.table("episodes").append(
        archive.table("episodes").schema.empty_table(), {"demo/audit/steps": Move(1, 9)}, {}
    )
    archive.table("steps").append(landed_rows(SPEC, 0), {"demo/replays": Move(-1, 0)}, {})
    assert codes(archive) == [("audits_ahead", "episodes"), ("replay_list_lost", "replays")]


def test_a_column_that_the_table_lacks_is_found(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0))
    (archive.folder / "archive.2.json").write_text(
        json.dumps(SPEC.model_copy(update={"extras": {"mood": Text()}}).to_json())
    )
    assert {code for code, _ in codes(archive)} == {"wrong_columns"}


def test_the_command_leaves_with_1_where_something_is_wrong(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0))
    append(archive, row(0), row(1))
    found = call("maintain", "check", "demo", "--deep", "--lake", lake.url)
    assert found.code == 1
    assert "demo: 1 problem (2 files, 3 rows" in found.out
    [dry] = ok("maintain", "compact", "demo", "--dry-run", "--lake", lake.url, "--json").document
    assert dry["tables"]["steps"]["duplicates"] == 1
    assert "2 → 1" in ok("maintain", "compact", "--all", "--lake", lake.url).out
    [checked] = ok("maintain", "check", "--all", "--deep", "--lake", lake.url, "--json").document
    assert (checked["sound"], checked["rows"], checked["problems"]) == (True, 2, [])
    options = ("--keep", "0", "--grace", "0", "--lake", lake.url)
    [dry] = ok("maintain", "vacuum", "demo", "--dry-run", *options, "--json").document
    [gone] = ok("maintain", "vacuum", "demo", *options, "--json").document
    assert dry["tables"]["steps"]["files"] == gone["tables"]["steps"]["files"] == 2
    assert "version 3" in ok("maintain", "vacuum", "--all", "--lake", lake.url).out
    assert call("maintain", "compact", "--lake", lake.url).code == 2
    assert call("maintain", "check", "demo", "--all", "--lake", lake.url).code == 2
