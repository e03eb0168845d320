"""Splits: whole episodes, each in one part for ever."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import Snapshot, delete_snapshot, read_transitions
from lake.snapshots.splits import PARTS, parts
from schemas.errors import CommitConflictError, NotFoundError, QueryError, UsageError
from tests.lake.archives import append, make, row

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
shares = st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any)


def place(text: str) -> int:
    """Return where a text falls, out of a thousand million, by MD5 alone."""
    return int.from_bytes(hashlib.md5(text.encode()).digest()[8:], "little") % 1_000_000_000  # noqa: S324


@settings(max_examples=40)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=30), shares, st.integers(-(2**40), 2**40))
def test_each_episode_is_in_one_part_which_md5_alone_says(
    episodes: list[tuple[str, str]], weights: list[int], seed: int
) -> None:
    train, validation, test = (weight / sum(weights) for weight in weights)
    made = parts("x", train, validation, test, seed)
    assert sum(sum(part.shares) for part in made) == len(made) * 1_000_000_000
    bounds = [0]
    for share in made[0].shares:
        bounds.append(bounds[-1] + share)
    by_name = {part.name: part for part in made}
    with duckdb.connect() as connection:
        connection.execute("create table held (source varchar, episode_id varchar)")
        connection.executemany("insert into held values (?, ?)", episodes)
        for name, (low, high) in zip(PARTS, pairwise(bounds), strict=True):
            if name not in by_name:
                assert low == high
                continue
            query = f"select source, episode_id from held where {by_name[name].condition}"
            expected = [
                held for held in episodes if low <= place(f"{seed}/episode/{held[0]}/{held[1]}") < high
            ]
            assert sorted(connection.execute(query).fetchall()) == sorted(expected)


def test_shares_are_nearly_what_was_asked_for() -> None:
    with duckdb.connect() as connection:
        made = "select 's' as source, 'e' || i as episode_id from range(20000) r(i)"
        connection.execute(f"create table held as {made}")
        for part in parts("x", 0.7, 0.2, 0.1, 3):
            found: Any = connection.execute(f"select count(*) from held where {part.condition}").fetchall()
            wanted = part.shares[PARTS.index(part.name)] / 1_000_000_000
            assert abs(found[0][0] / 20_000 - wanted) < 0.015  # five times its deviation


def test_thirds_and_no_validation_make_a_whole() -> None:
    thirds = (333333333, 333333334, 333333333)
    assert [part.shares for part in parts("x", 1 / 3, 1 / 3, 1 / 3, 0)] == [thirds] * 3
    assert [(part.name, part.shares) for part in parts("x", 2 / 3, 0, 1 / 3, 0)] == [
        ("train", (666666667, 0, 333333333)),
        ("test", (666666667, 0, 333333333)),
    ]
    assert [part.shares for part in parts("x", 0.7, 0.3, 0, 0)] == [(700000000, 300000000, 0)] * 2
    assert [part.name for part in parts("x", 1, 0, 0, 0)] == ["train"]


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ((0.8, 0.1, 0.2), "do not add up to 1"),
        ((1.2, -0.1, -0.1), "do not add up to 1"),
        ((float("nan"), 0.5, 0.5), "do not add up to 1"),
        ((0, 0, 0), "do not add up to 1"),
    ],
)
def test_shares_that_are_no_whole_are_refused(given_: tuple[float, float, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parts("x", *given_, 0)
    with pytest.raises(UsageError, match=r"seed 0\.5 is not a whole number"):
        parts("x", 0.8, 0.1, 0.1, 0.5)  # type: ignore[arg-type]


def log(first: int, last: int) -> list[dict[str, Any]]:
    """Make episodes of two agents each, and rows of none."""
    rows = [
        row(step, episode_id=f"e{number}", agent_id=agent, event_id=f"{number}{agent}{step}")
        for number in range(first, last)
        for agent in ("a", "b")
        for step in (0, 1)
    ]
    return rows + [row(0, episode_id=None, event_id=f"none{number}") for number in range(first, last)]


def held_by(snapshot: Snapshot) -> set[str]:
    with snapshot.connect() as connection:
        found = connection.sql(f"select event_id from snapshot.steps where {snapshot.condition}").fetchall()
    assert len(found) == snapshot.rows
    return {event for (event,) in found}


def test_parts_are_disjoint_complete_and_stay_as_the_archive_grows(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, *log(0, 30))
    whole = archive.snapshot()
    before = whole.split(0.5, 0.25, 0.25, seed=1)
    append(archive, *log(30, 50))
    after = archive.snapshot().split(0.5, 0.25, 0.25, seed=1)

    assert list(before) == list(after) == list(PARTS)
    for made, everything in ((before, 150), (after, 250)):
        rows = [held_by(part) for part in made.values()]
        assert sum(map(len, rows)) == len(set[str]().union(*rows)) == everything
        episodes = [{event[:-2] for event in held if event[0] != "n"} for held in rows]
        assert sum(map(len, episodes)) == everything // 5  # both agents of an episode in one part
        assert [part.episodes for part in made.values()] == [2 * len(held) for held in episodes]
    for name in PARTS:
        assert held_by(before[name]) <= held_by(after[name])

    train = lake.snapshot(before["train"].id)
    assert train.to_json() == before["train"].to_json()
    assert len(read_transitions(train)) == train.episodes  # one of the two steps of each has a next one
    assert whole.split(0.5, 0.25, 0.25, seed=1)["train"].id == train.id
    assert whole.split(0.5, 0.25, 0.25, seed=2)["train"].id != train.id
    with pytest.raises(UsageError, match=f"is a part of {whole.id} already"):
        train.split()


def test_a_choice_is_split_as_it_is(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, *log(0, 30))
    chosen = archive.snapshot("step = 1 and agent_id = 'a'", episodes="length = 2")
    halves = chosen.split(0.5, 0, 0.5)
    assert list(halves) == ["train", "test"]
    assert held_by(halves["train"]) | held_by(halves["test"]) == {f"{number}a1" for number in range(30)}
    assert not held_by(halves["train"]) & held_by(halves["test"])


def test_a_part_of_nothing_is_refused_and_none_is_stored(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0), row(1))
    whole = archive.snapshot()
    with pytest.raises(QueryError, match=r"would hold nothing.*another share"):
        whole.split(0.5, 0.5, 0)
    assert [held.id for held in lake.snapshots()] == [whole.id]
    assert [part.rows for part in whole.split(1, 0, 0).values()] == [2]


def test_a_snapshot_that_was_deleted_is_not_split(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, *log(0, 4))
    whole = archive.snapshot()
    delete_snapshot(whole)
    with pytest.raises(CommitConflictError, match=r"was deleted, or rows of it erased"):
        whole.split(0.5, 0, 0.5)
    assert lake.snapshots() == []
    with pytest.raises(NotFoundError):
        lake.snapshot(whole.id)
