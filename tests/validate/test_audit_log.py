"""The history of audits is the chain of those that committed, whatever died or raced beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.audit_log import AuditLog
from lake.files import write_json
from lake.stores import open_store
from schemas.errors import StorageError


def log(folder: Path, last: int) -> AuditLog:
    return AuditLog(open_store(folder), last)


def test_nothing_was_audited(tmp_path: Path) -> None:
    assert log(tmp_path, -1).history() == []
    assert log(tmp_path, -1).latest() is None


def test_documents_come_by_version(tmp_path: Path) -> None:
    for version, previous in ((0, -1), (9, 0), (10, 9), (101, 10)):
        log(tmp_path, previous).write({"version": version}, version, previous)
    assert log(tmp_path, 101).history() == [{"version": version} for version in (0, 9, 10, 101)]
    assert log(tmp_path, 101).latest() == {"version": 101}


def test_what_never_committed_counts_for_nothing(tmp_path: Path) -> None:
    log(tmp_path, -1).write({"by": "first"}, 5, -1)
    log(tmp_path, 5).write({"by": "dead"}, 8, 5)
    assert log(tmp_path, 5).history() == [{"by": "first"}]
    assert log(tmp_path, 5).latest() == {"by": "first"}
    log(tmp_path, 5).write({"by": "second"}, 9, 5)  # passes by the version of the dead one
    assert log(tmp_path, 9).history() == [{"by": "first"}, {"by": "second"}]


def test_who_looks_again_at_a_version_replaces_what_was_found_last(tmp_path: Path) -> None:
    log(tmp_path, -1).write({"by": "first"}, 5, -1)
    for by in ("again", "once more"):
        log(tmp_path, 5).write({"by": by}, 5, 5)
        assert log(tmp_path, 5).latest() == {"by": by}
        assert log(tmp_path, 5).history() == [{"by": "first"}]
    log(tmp_path, 5).write({"by": "next"}, 6, 5)
    assert log(tmp_path, 6).latest() == {"by": "next"}


def test_a_document_that_is_gone_is_left_out(tmp_path: Path) -> None:
    for version, previous in ((1, -1), (2, 1), (3, 2)):
        log(tmp_path, previous).write({"version": version}, version, previous)
    next((tmp_path / "audits").glob("*2-*1.json")).unlink()
    assert log(tmp_path, 3).history() == [{"version": 1}, {"version": 3}]


def test_other_files_are_no_documents_and_a_damaged_one_is_told_of(tmp_path: Path) -> None:
    log(tmp_path, -1).write({"version": 1}, 1, -1)
    write_json(open_store(tmp_path), "audits/notes.json", {})
    assert log(tmp_path, 1).history() == [{"version": 1}]
    next((tmp_path / "audits").glob("*start.json")).write_text("{")
    with pytest.raises(StorageError, match="does not read"):
        log(tmp_path, 1).history()


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=12))
def test_the_chain_is_what_committed(
    tmp_path_factory: pytest.TempPathFactory, audits: list[tuple[int, bool]]
) -> None:
    """Each audit looks up to some version, at or after where the audits are; some die before the commit."""
    folder = tmp_path_factory.mktemp("log")
    position = -1
    landed: list[dict[str, Any]] = []
    for number, (version, dies) in enumerate(audits):
        if version < position:
            continue
        document = {"number": number}
        log(folder, position).write(document, version, position)
        if dies:
            continue
        if version > position:
            landed.append(document)
        position = version
    assert log(folder, position).history() == landed
