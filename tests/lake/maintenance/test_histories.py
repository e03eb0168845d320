"""Whatever landed, however it was compacted and whoever died doing it: what is there is what should be."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import Archive
from lake.maintenance.compact import compact_archive
from lake.maintenance.part_rewrite import CompactionOptions
from lake.maintenance.vacuum import vacuum_archive
from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Text
from tests.lake.archives import DAY, SPEC, append, make, row
from tests.lake.kills import Killed, killed_before
from tests.lake.maintenance.reference import Row, check_compacted, key_of_all_days, refused_of, steps_of

PARTITIONED = SPEC.model_copy(update={"partition_by": ("shop",), "extras": {"shop": Text()}})
GROWN = {"shop": Text(), "mood": Text()}


@st.composite
def stepped(draw: st.DrawFn) -> Row:
    """Draw a step; keys, days and contents are few, so that many meet."""
    event_id = draw(st.sampled_from([None, "x", ""]))
    placed: dict[str, Any] = {
        "episode_id": draw(st.sampled_from(["e", "f"])),
        "step": draw(st.integers(0, 2)),
    }
    if event_id is not None and draw(st.booleans()):
        placed = {"episode_id": None, "step": None}
    return row(0) | dict(
        event_id=event_id,
        **placed,
        observation=[0.0],
        action=0,
        source=draw(st.sampled_from(["s", "t"])),
        reward=draw(st.sampled_from([0.0, 1.0, None])),
        shop=draw(st.sampled_from([None, "a/b=c", "%"])),
        event_time=DAY + timedelta(hours=draw(st.sampled_from([0, 1, 24]))),
    )


ACTIONS = st.one_of(
    st.lists(stepped(), min_size=1, max_size=8),
    st.sampled_from([CompactionOptions(), CompactionOptions(1, 1), CompactionOptions(20_000, 2_000)]),
    st.just("grow"),
)


def perform(archive: Archive, action: Any, mood: str) -> None:
    if action == "grow":
        archive.evolve(archive.spec.model_copy(update={"extras": GROWN}))
    elif isinstance(action, CompactionOptions):
        archive.compact(action)
    else:
        extra = {"mood": mood} if "mood" in archive.spec.extras else {}
        append(archive, *(held | extra for held in action))


@given(st.lists(ACTIONS, min_size=2, max_size=6), st.sampled_from(["good", "bad"]))
@settings(max_examples=15)
def test_any_history_ends_as_the_slow_reference_says(actions: list[Any], mood: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, archive = make(Path(folder), PARTITIONED)
        landed: list[Row] = []
        for action in [*actions, CompactionOptions(), CompactionOptions()]:
            perform(archive, action, mood)
            if not isinstance(action, CompactionOptions):
                known = {row["ingested_at"] for row in landed}
                landed += [row for row in steps_of(archive) if row["ingested_at"] not in known]
        landed = [{"mood": None} | row for row in landed]
        ended = [[{"mood": None} | row for row in rows] for rows in (steps_of(archive), refused_of(archive))]
        check_compacted(landed, *ended)


@given(st.lists(st.lists(stepped(), min_size=1, max_size=8), min_size=1, max_size=4), st.integers(1, 500_000))
@settings(max_examples=8)
def test_over_all_days_each_key_is_there_once(landings: list[list[Row]], target_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, archive = make(Path(folder), PARTITIONED)
        for landing in landings:
            perform(archive, landing, "")
        landed = steps_of(archive)
        for _ in range(2):
            archive.compact(CompactionOptions(target_bytes, all_days=True))
            check_compacted(landed, steps_of(archive), refused_of(archive), key=key_of_all_days)


def history(folder: Path, spec: ArchiveSpec = PARTITIONED) -> Archive:
    """Make an archive of two days with duplicates, conflicts and rows refused before."""
    _, archive = make(folder, spec)
    for reward in (0.0, 0.0, 1.0):
        rows = [row(step, shop="a", reward=reward) for step in range(2)]
        later = row(0, shop="b", event_time=DAY + timedelta(days=1), episode_id="f", reward=reward)
        append(archive, *rows, later)
    return archive


def test_killed_at_any_change_it_is_done_by_the_next(tmp_path: Path) -> None:
    archive = history(tmp_path / "counted")
    with killed_before(None) as kill:
        compact_archive(archive)
    assert kill.count > 5
    for change in range(kill.count):
        archive = history(tmp_path / str(change))
        before = steps_of(archive)
        with pytest.raises(Killed), killed_before(change):
            compact_archive(archive)
        seen = {(row["date"], row["episode_id"], row["step"]) for row in steps_of(archive)}
        assert seen == {(row["date"], row["episode_id"], row["step"]) for row in before}
        if change % 3 == 0:
            append(archive, row(7, shop="a"))  # others go on
            before.append(next(row for row in steps_of(archive) if row["step"] == 7))
        compact_archive(archive)
        check_compacted(before, steps_of(archive), refused_of(archive))
        vacuum_archive(archive, keep=timedelta(0), grace=timedelta(0))
        for name in ("steps", "quarantine"):
            log = archive.table(name)
            stored = {file.name for file in log.store.files() if file.name.endswith(".parquet")}
            assert stored == {*log.file_names()} | {one for one in stored if one.startswith("_")}
        check_compacted(before, steps_of(archive), refused_of(archive))
