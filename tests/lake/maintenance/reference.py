"""Compaction the slow way: one Python row after another."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from lake import Archive
from schemas.step import GATE_FIELDS, REASON_FIELDS

Row = dict[str, Any]
_PLACES = ("stream_topic", "stream_partition", "stream_offset", "stream_row")
_NOT_SAID = {*_PLACES, "ingested_at", "date", "event_time", "quality_score", "flags"}
_ADDED = {field.name for field in (*GATE_FIELDS, *REASON_FIELDS)}


def steps_of(archive: Archive) -> list[Row]:
    """Return every row of the steps, read file by file."""
    log = archive.table("steps")
    return [row for name in log.file_names() for row in log.read(name).to_pylist()]


def refused_of(archive: Archive) -> list[Row]:
    """Return every row of quarantine."""
    log = archive.table("quarantine")
    return [row for name in log.file_names() for row in log.read(name).to_pylist()]


def key(row: Row) -> tuple[Any, ...]:
    """Return a row's key, and its day."""
    if row["event_id"] is not None:
        return (row["date"], row["event_id"], row["source"])
    return (row["date"], None, row["source"], row["agent_id"], row["episode_id"], row["step"])


def said(row: Row) -> str:
    """Return what a row's producer said."""
    return repr(sorted((name, value) for name, value in row.items() if name not in _NOT_SAID))


def whole(row: Row) -> str:
    """Return all of a row but for what only one of the two tables has."""
    return repr(sorted((name, value) for name, value in row.items() if name not in {*_ADDED, "date"}))


def landed(row: Row) -> tuple[Any, ...]:
    """Return when a row landed; equal for rows of which what they say decides."""
    return (row["ingested_at"], row["event_time"])


def key_of_all_days(row: Row) -> tuple[Any, ...]:
    """Return a row's key alone."""
    return key(row)[1:]


def check_compacted(
    before: Sequence[Row],
    kept: Sequence[Row],
    refused: Sequence[Row],
    *,
    key: Callable[[Row], tuple[Any, ...]] = key,
) -> None:
    """Check what became of rows: of each key the first stays, others go, and those that contradict it stay
    in quarantine, each once."""
    by_key: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in before:
        by_key[key(row)].append(row)
    by_kept = {key(row): row for row in kept}
    assert len(by_kept) == len(kept), "a key is there twice"
    assert by_kept.keys() == by_key.keys(), "a key is lost, or made up"
    expected: Counter[str] = Counter()
    for one, rows in by_key.items():
        stayed = by_kept[one]
        assert whole(stayed) in {whole(row) for row in rows}
        assert landed(stayed) == min(map(landed, rows)), "not the first that landed"
        expected.update({whole(row) for row in rows if said(row) != said(stayed)})
    assert Counter(map(whole, refused)) == expected
