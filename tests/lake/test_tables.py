"""The tables on disk: other tools read them, and what the log says of each file is true."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastparquet
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import Archive, Lake, read_transitions
from lake.parquet import level_of, partition_values, write_files, write_partition
from lake.stores import open_store
from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Dict, MultiBinary, Text, Tuple
from tests.lake.archives import DAY, SPEC, append, landed_rows, make, numbers, row

ODD = [
    "x y",
    "a/b",
    "a=b",
    "a%20b",
    "%",
    "+",
    "ü",
    "日本",
    "*?[x]",
    "NULL",
    "..",
    "a'b",
    'a"b',
    "\n",
    "007",
    "{x}",
    "",
]
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def partitioned(*columns: str) -> ArchiveSpec:
    return SPEC.model_copy(update={"partition_by": columns, "extras": {"shop": Text()}})


def agents_on_disk(archive: Archive) -> list[str]:
    log = archive.table("steps")
    return [
        value
        for name in log.file_names()
        for value in log.read(name, ["agent_id", "step"])["agent_id"].to_pylist()
    ]


@pytest.mark.parametrize("agent", [*ODD, HIVE_NULL])
def test_odd_names_survive_as_partitions(tmp_path: Path, agent: str) -> None:
    lake, archive = make(tmp_path, partitioned("agent_id"))
    append(archive, row(0, agent_id=agent), row(1, agent_id="other"), row(1, agent_id=agent))

    assert numbers(lake, "select agent_id from demo.steps order by agent_id = 'other'") == [
        agent,
        agent,
        "other",
    ]
    assert sorted(agents_on_disk(archive)) == sorted([agent, agent, "other"])
    assert len(read_transitions(archive.snapshot("agent_id <> 'other'"))) == 1
    if agent != HIVE_NULL:  # Polars takes it for null
        frame = pl.scan_delta(str(archive.folder / "steps")).collect()
        assert sorted(frame["agent_id"]) == sorted([agent, agent, "other"])


def test_a_null_is_a_partition_of_its_own(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, partitioned("shop", "policy_version"))
    rows = [row(0), row(1, shop="a"), row(2, shop="null"), row(3, policy_version="007")]
    append(archive, *rows)
    query = "select step, shop, policy_version from demo.steps order by step"
    expected = [(0, None, None), (1, "a", None), (2, "null", None), (3, None, "007")]
    assert lake.sql(query).rows() == expected
    frame = pl.scan_delta(str(archive.folder / "steps")).sort("step").collect()
    assert frame.select("step", "shop", "policy_version").rows() == expected
    assert len(archive.table("steps").file_names()) == 4


FOLDERS = [
    "a b", "it's", 'q"q', "ünï", "日本", "la[ke]", "[!x]", "st*r", "wh?t", "h#sh", "{a,b}", "~t", "c:d",
    "a=b", "+", "agent_id=zz", "reward=7", "date=1999-01-01", "DATE=x", HIVE_NULL, "é" * 50,
]  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_a_lake_may_be_in_any_folder(tmp_path: Path, name: str) -> None:
    for rival in ("lak", "stXr", "whXt"):  # what a pattern in the name would match as well
        (tmp_path / rival / "lake").mkdir(parents=True)
    lake, archive = make(tmp_path / name, partitioned("agent_id"))
    append(archive, row(0, agent_id="x y"), row(1, agent_id="x y"), row(2, agent_id="it's"))

    query = "select step, agent_id, date, reward from demo.steps order by step"
    day = "2026-01-01"
    assert lake.sql(query).rows() == [(0, "x y", day, 0.0), (1, "x y", day, 1.0), (2, "it's", day, 2.0)]
    assert numbers(lake, "select count(*) from demo.quarantine") == [0]
    made = Lake(lake.folder).archive("demo").snapshot()
    assert len(read_transitions(made)) == 1
    assert sorted(agents_on_disk(archive)) == ["it's", "x y", "x y"]


NESTED = ArchiveSpec(
    name="demo",
    observation=Dict(
        spaces={"image": Box(shape=(2,), dtype="uint8"), "pair": Tuple(spaces=(Box(shape=()),))}
    ),
    action=MultiBinary(shape=(2,)),
)


def test_polars_and_fastparquet_read_the_tables(tmp_path: Path) -> None:
    lake, archive = make(tmp_path, NESTED)
    seen = {"image": b"\x00\xff", "pair": {"item_0": [0.5]}}
    append(
        archive, row(0, observation=seen, action=[0, 1]), row(1, observation=seen, action=[1, 1], reward=None)
    )

    frame = pl.scan_delta(str(archive.folder / "steps")).sort("step").collect()
    assert frame["observation"].to_list() == [seen, seen]
    assert frame["action"].to_list() == [[0, 1], [1, 1]]
    assert frame["event_time"].to_list() == [DAY, DAY]
    assert pl.scan_delta(str(archive.folder / "quarantine")).collect().height == 0

    log = archive.table("steps")
    [path] = log.uris(log.file_names())
    with Path(path).open("rb") as file:
        flat = fastparquet.ParquetFile(file).to_pandas(columns=["step", "reward", "episode_id", "terminated"])
    assert flat["step"].tolist() == [0, 1]
    assert flat["episode_id"].tolist() == ["e", "e"]
    assert flat["reward"].isna().tolist() == [False, True]
    assert numbers(lake, "select observation.image from demo.steps limit 1") == [b"\x00\xff"]


def adds(archive: Archive) -> list[dict[str, Any]]:
    found = []
    for path in sorted((archive.folder / "steps" / "_delta_log").glob("*.json")):
        found += [
            entry["add"] for entry in map(json.loads, path.read_text().strip().split("\n")) if "add" in entry
        ]
    return found


keys = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))


@settings(max_examples=12, deadline=None)
@given(
    parts=st.lists(
        st.lists(st.tuples(keys, keys, st.integers(-(2**63), 2**63 - 1), times), min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    )
)
def test_what_the_log_says_never_loses_a_row(parts: list[list[tuple[Any, Any, int, datetime]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, archive = make(Path(folder))
        held = []
        for part in parts:
            rows = [
                row(step, event_id=event, episode_id=episode or "e", event_time=at)
                for event, episode, step, at in part
            ]
            append(archive, *rows)
            held += rows
        log = archive.table("steps")
        assert sum(json.loads(add["stats"])["numRecords"] for add in adds(archive)) == len(held)
        for wanted in held:
            for name in ("step", "event_id", "episode_id", "event_time"):
                if wanted[name] is None or "'" in str(wanted[name]):
                    continue
                literal = wanted[name] if name == "step" else f"'{wanted[name]}'"
                files = log.uris(log.file_names(f"{name} = {literal}"))
                found = [
                    v for path in files for v in pq.read_table(path, partitioning=None)[name].to_pylist()
                ]
                assert wanted[name] in found


def test_statistics_prune(tmp_path: Path) -> None:
    _, archive = make(tmp_path)
    for day in range(3):
        append(archive, row(day, event_time=DAY + timedelta(days=day), event_id=f"i{day}"))
    log = archive.table("steps")
    assert len(log.file_names()) == 3
    for predicate in (
        "step = 1",
        "event_id = 'i1'",
        "date = '2026-01-02'",
        "event_time > '2026-01-03T00:00:00Z'",
    ):
        assert len(log.file_names(predicate)) == 1, predicate
    assert log.file_names("step = 9") == []


def test_texts_too_long_for_statistics_do_not_lose_their_row_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.parquet.row_group_rows", lambda rows, level: 1)
    rows = landed_rows(SPEC, 2)
    long = rows.set_column(rows.column_names.index("event_id"), "event_id", [["m", "z" * 10_000]])
    [written] = write_files(open_store(tmp_path), long, ["date"])
    stats = json.loads(written.action.stats)
    assert "event_id" not in stats["maxValues"]
    assert stats["maxValues"]["step"] == 1
    assert stats["nullCount"]["episode_id"] == 0


def test_partition_values_are_read_off_the_last_folders(tmp_path: Path) -> None:
    path = f"/date=1/x/date=2026-01-01/agent_id={HIVE_NULL}/part.parquet"
    assert partition_values(path, ["date", "agent_id"]) == {"date": "2026-01-01", "agent_id": None}
    assert partition_values(path, []) == {}
    assert partition_values("/d/a=x%2Fy/p", ["a"]) == {"a": "x/y"}


def test_rows_that_are_rewritten_are_no_new_ones_and_their_files_say_their_level(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for level in ("hot", "compact", "cold"):
        [written] = write_files(store, landed_rows(SPEC, 3), ["date"], level, data_change=level == "hot")
        assert level_of(written.name) == level
        assert (written.rows, written.action.data_change) == (3, level == "hot")
        assert store.open(written.name).size() == written.action.size
    assert level_of("date=2026-01-01/of-another-writer.parquet") == "hot"


def test_a_new_file_is_begun_where_one_is_long_enough(tmp_path: Path) -> None:
    store, rows = open_store(tmp_path), landed_rows(SPEC, 4).drop_columns(["date"])
    pieces = [rows.slice(start, 1) for start in range(4)]
    values = {"date": "2026-01-01"}

    def written(most_bytes: int | None) -> list[int]:
        files = write_partition(
            store, iter(pieces), values, "compact", data_change=False, most_bytes=most_bytes
        )
        return [file.rows for file in files]

    assert (written(1), written(None)) == ([1, 1, 1, 1], [4])
    assert list(write_partition(store, iter([]), values, "compact", data_change=False)) == []
