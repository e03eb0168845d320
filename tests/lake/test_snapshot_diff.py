"""The difference of two snapshots is that of their rows, as a slow reference counts them."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import diff_snapshots
from schemas.archive_spec import ArchiveSpec
from schemas.errors import QueryError, StorageError
from schemas.spaces import Box, Discrete
from tests.lake.archives import append, make, row

Rows = list[dict[str, Any]]
_FACTS = ("episodes", "min", "median", "mean", "max")


@st.composite
def logs(draw: st.DrawFn) -> Rows:
    """Draw rows of a few episodes and of none; some come twice."""
    places = draw(
        st.lists(
            st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["e", "f", None]), st.integers(0, 4)),
            min_size=1,
            max_size=12,
        )
    )
    return [
        row(step, agent_id=agent, episode_id=episode, event_id=f"{agent}{step}", reward=float(step))
        for agent, episode, step in places
    ]


def identity(held: dict[str, Any]) -> tuple[Any, ...]:
    return held["agent_id"], held["episode_id"], held["step"]


def figures(rows: Rows, of_return: bool) -> dict[str, float]:
    sums: Counter[tuple[str, str]] = Counter()
    for held in rows:
        if held["episode_id"] is not None:
            sums[held["agent_id"], held["episode_id"]] += held["reward"] if of_return else 1
    values = [float(value) for value in sums.values()]
    if not values:
        return dict.fromkeys(_FACTS[1:], None) | {"episodes": 0}  # type: ignore[return-value]
    found = (len(values), min(values), median(values), mean(values), max(values))
    return dict(zip(_FACTS, found, strict=True))


@settings(max_examples=6)
@given(logs(), st.integers(0, 4), st.integers(0, 4))
def test_a_difference_is_that_of_the_rows(log: Rows, least: int, most: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, archive = make(Path(folder))
        append(archive, *log)
        in_a = [held for held in log if held["step"] >= least]
        in_b = [held for held in log if held["step"] <= most]
        try:
            a, b = archive.snapshot(f"step >= {least}"), archive.snapshot(f"step <= {most}")
        except QueryError:  # there is nothing in one of them
            return
        found = diff_snapshots(a, b)
        of_a, of_b = (Counter(map(identity, rows)) for rows in (in_a, in_b))
        rows = [sum(held.values()) for held in (of_a - of_b, of_b - of_a, of_a & of_b)]
        assert [found.rows.only_a, found.rows.only_b, found.rows.both] == rows
        assert found.is_same == (of_a == of_b)
        episodes_a, episodes_b = ({key[:2] for key in held if key[1] is not None} for held in (of_a, of_b))
        assert [found.episodes.only_a, found.episodes.only_b, found.episodes.both] == [
            len(episodes_a - episodes_b),
            len(episodes_b - episodes_a),
            len(episodes_a & episodes_b),
        ]
        assert found.changed_episodes == sum(
            {key: count for key, count in of_a.items() if key[:2] == episode}
            != {key: count for key, count in of_b.items() if key[:2] == episode}
            for episode in episodes_a & episodes_b
        )
        for name, episodes in (("only_a", episodes_a - episodes_b), ("only_b", episodes_b - episodes_a)):
            shown = [(held["agent_id"], held["episode_id"]) for held in found.examples[name]]
            assert shown == sorted(episodes)[:5]
        assert found.lengths == (figures(in_a, of_return=False), figures(in_b, of_return=False))
        assert found.returns == (figures(in_a, of_return=True), figures(in_b, of_return=True))


def test_what_was_said_differently_is_told(tmp_path: Path) -> None:
    lake, archive = make(tmp_path)
    append(archive, row(0), row(1))
    append(archive, row(2))
    whole, chosen = (
        archive.snapshot(),
        archive.snapshot("step < 2", episodes="length = 3", columns=["action"]),
    )
    found = diff_snapshots(whole, chosen)
    assert found.choices == {
        "where": (None, "step < 2"),
        "episodes_where": (None, "length = 3"),
        "columns": (None, list(chosen.columns)),
    }
    assert (found.files.only_a, found.files.only_b, found.files.both) == (1, 0, 1)
    assert found.spec == {} and not found.is_same
    assert diff_snapshots(whole, whole).is_same
    assert found.to_json()["rows"] == {"only_a": 1, "only_b": 0, "both": 2}

    other = lake.create(
        "other", spec=ArchiveSpec(name="other", observation=Box(shape=(1,)), action=Discrete(n=3))
    )
    append(other, row(0), row(1))
    beside = diff_snapshots(chosen, other.snapshot())
    assert beside.is_same  # rows are known by their keys, in whichever archive they are
    assert (beside.files.both, beside.choices["archive"]) == (0, ("demo", "other"))
    assert set(beside.spec) == {"name", "action"}


def test_what_compaction_does_to_files_is_no_difference_of_rows(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(1))
    append(archive, row(0))
    before = archive.snapshot()
    archive.compact()
    after = archive.snapshot()
    found = diff_snapshots(before, after)
    assert found.is_same and found.files.both == 0 and before.id != after.id


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    append(archive, row(0), row(1))
    one, other = archive.snapshot("step = 0"), archive.snapshot("step = 1")
    (archive.folder / "steps" / one.files[0]).unlink()
    with pytest.raises(StorageError, match="does not read"):
        diff_snapshots(one, other)
