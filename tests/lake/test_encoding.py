"""Encoded files: every reader gives back what was written, in few bytes, with bounds and checksums."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import fastparquet
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.encoding import Level, row_group_rows, writer_options
from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Text, Tuple
from schemas.step import KEY_COLUMNS, LINEAGE_FIELDS, ROW_ORDER, quarantine_schema, steps_schema

LEVELS: tuple[Level, ...] = ("hot", "compact", "cold")
DAY = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPECS = [
    ArchiveSpec(name="plain", observation=Box(shape=(2,)), action=Discrete(n=2)),
    ArchiveSpec(
        name="nested",
        observation=Dict(
            spaces={"seen": Box(shape=(2,), dtype="uint8"), "felt": Tuple(spaces=(Box(shape=(1,)),))}
        ),
        action=Dict(spaces={"pick": MultiDiscrete(nvec=(3, 4)), "hold": MultiBinary(shape=(2,))}),
        extras={"note": Text(), "asked_at": Scalar(dtype="timestamp"), "cost": Scalar(dtype="float64")},
    ),
]


def value_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Draw values of a type, and none, as far apart as the type allows."""
    if pa.types.is_struct(kind):
        drawn: st.SearchStrategy[Any] = st.fixed_dictionaries({f.name: value_of(f.type) for f in kind})
    elif pa.types.is_list(kind):
        drawn = st.lists(value_of(kind.value_type), max_size=3)
    elif pa.types.is_timestamp(kind):
        drawn = st.integers(0, 10**12).map(lambda number: DAY + timedelta(microseconds=number))
    elif pa.types.is_integer(kind):
        drawn = st.integers(-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1)
    elif pa.types.is_floating(kind):
        drawn = st.floats(allow_nan=False, width=32)
    elif pa.types.is_boolean(kind):
        drawn = st.booleans()
    else:
        drawn = st.binary(max_size=5) if pa.types.is_binary(kind) else st.text("abc/ä", max_size=5)
    return st.none() | drawn


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    spec = draw(st.sampled_from(SPECS))
    schema = draw(st.sampled_from([steps_schema, quarantine_schema]))(spec)
    row = st.fixed_dictionaries({field.name: value_of(field.type) for field in schema})
    rows = draw(st.lists(row, max_size=12))
    return pa.Table.from_pylist(rows * draw(st.integers(1, 20)), schema=schema)


def written(rows: pa.Table, level: Level, path: Path) -> str:
    with pq.ParquetWriter(path, rows.schema, **writer_options(rows.schema, level)) as writer:
        writer.write_table(rows, row_group_size=row_group_rows(rows, level))
    return str(path)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=15, deadline=None)
@given(rows=tables())
def test_what_is_written_is_read_back_by_arrow_polars_and_duckdb(
    tmp_path_factory: pytest.TempPathFactory, level: Level, rows: pa.Table
) -> None:
    file = written(rows, level, tmp_path_factory.mktemp("encoded") / "rows.parquet")
    assert pq.read_table(file, page_checksum_verification=True).equals(rows)
    assert pl.read_parquet(file).equals(pl.DataFrame(rows))
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.sql("select * from read_parquet(?)", params=[file]).to_arrow_table()
    assert found.cast(rows.schema).equals(rows)


def steps(count: int) -> pa.Table:
    """Make whole episodes of 50 turns; numbers go up and down, some are missing."""
    rng = np.random.default_rng(0)
    schema = steps_schema(SPECS[0])
    rows = [
        {
            "source": "s",
            "agent_id": "a",
            "episode_id": f"run/{number // 50:05}",
            "step": number % 50,
            "observation": rng.normal(size=2).astype(np.float32).tolist(),
            "action": int(rng.integers(2)),
            "reward": None if number % 7 == 3 else float(rng.normal()),
            "terminated": number % 50 == 49,
            "truncated": False,
            "event_time": DAY + timedelta(microseconds=int(rng.integers(10**6)) - 10**5),
            "priority": 1.0,
            "stream_topic": "t",
            "stream_offset": int(rng.integers(-(2**40), 2**40)) if number % 5 else None,
            "stream_row": number % 50,
        }
        for number in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=schema)


@pytest.mark.parametrize("level", ["hot", "compact"])
def test_fastparquet_reads_what_is_not_cold(tmp_path: Path, level: Level) -> None:
    rows = steps(3000)
    with open(written(rows, level, tmp_path / "rows.parquet"), "rb") as file:
        found = fastparquet.ParquetFile(file).to_pandas()
    for name in ("episode_id", "step", "action", "reward", "stream_offset", "stream_row", "terminated"):
        values = [None if pd.isna(value) else value for value in found[name].tolist()]
        assert values == rows[name].to_pylist()
    times = [value.to_pydatetime().replace(tzinfo=UTC) for value in found["event_time"]]
    assert times == rows["event_time"].to_pylist()
    observed = found[next(name for name in found.columns if name.startswith("observation"))]
    assert [list(value) for value in observed] == rows["observation"].to_pylist()


@pytest.mark.parametrize("level", ["compact", "cold"])
def test_a_rewritten_file_says_how_it_is_sorted(tmp_path: Path, level: Level) -> None:
    rows = steps(100)
    group = pq.ParquetFile(written(rows, level, tmp_path / "rows.parquet")).metadata.row_group(0)
    named = [group.column(column.column_index).path_in_schema for column in group.sorting_columns]
    assert tuple(named) == ROW_ORDER
    assert all(column.nulls_first and not column.descending for column in group.sorting_columns)


@pytest.mark.parametrize("level", ["compact", "cold"])
def test_a_rewritten_file_knows_which_episodes_it_has_not(tmp_path: Path, level: Level) -> None:
    file = written(steps(1000), level, tmp_path / "rows.parquet")
    sought = ["run/00000", "run/00019", *(f"other/{number}" for number in range(100))]
    with duckdb.connect() as connection:
        query = "select bool_and(bloom_filter_excludes) from parquet_bloom_probe(?, 'episode_id', ?)"
        excluded = [connection.execute(query, [file, episode]).fetchall()[0][0] for episode in sought]
    assert not any(excluded[:2])
    assert sum(excluded[2:]) > 80
    assert pq.ParquetFile(file).metadata.row_group(0).column(3).bloom_filter_length < 200


@pytest.mark.parametrize("level", LEVELS)
def test_what_rows_are_found_by_has_bounds(tmp_path: Path, level: Level) -> None:
    rows = steps(100)
    group = pq.ParquetFile(written(rows, level, tmp_path / "rows.parquet")).metadata.row_group(0)
    bounded = {
        group.column(index).path_in_schema
        for index in range(group.num_columns)
        if group.column(index).statistics is not None
    }
    assert bounded >= {*KEY_COLUMNS, "event_time", "reward", *(field.name for field in LINEAGE_FIELDS)}
    assert "observation.list.element" not in bounded


@pytest.mark.parametrize("level", LEVELS)
def test_a_damaged_page_is_told_by_who_looks(tmp_path: Path, level: Level) -> None:
    file = Path(written(steps(2000), level, tmp_path / "rows.parquet"))
    column = pq.ParquetFile(file).metadata.row_group(0).column(5)
    content = bytearray(file.read_bytes())
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(file, page_checksum_verification=True)


def test_fastparquet_says_that_it_does_not_read_what_is_cold(tmp_path: Path) -> None:
    with open(written(steps(100), "cold", tmp_path / "rows.parquet"), "rb") as file:
        with pytest.raises(NotImplementedError, match="Encoding"):
            fastparquet.ParquetFile(file).to_pandas(columns=["event_time"])


def frames(count: int) -> list[bytes]:
    """Draw a square that moves over a background of noise, which no frame compresses by itself."""
    background = np.random.default_rng(0).integers(0, 256, (84, 84), np.uint8)
    drawn = []
    for number in range(count):
        frame = background.copy()
        frame[40:48, number % 76 : number % 76 + 8] = 255
        drawn.append(frame.tobytes())
    return drawn


@pytest.mark.parametrize("level", LEVELS)
def test_a_frame_takes_little_beside_the_one_before_it(tmp_path: Path, level: Level) -> None:
    rows = pa.table({"observation": pa.array(frames(300), pa.binary())})
    file = written(rows, level, tmp_path / "rows.parquet")
    assert pq.read_table(file).equals(rows)
    assert Path(file).stat().st_size < rows.nbytes / 20


def test_a_row_group_holds_fewer_rows_the_larger_they_are() -> None:
    large = pa.table({"observation": pa.array(frames(50), pa.binary())})
    assert row_group_rows(large, "compact") == (128 << 20) * 50 // large.nbytes < 20_000
    assert row_group_rows(steps(100), "compact") == 1 << 17
    assert row_group_rows(steps(0), "hot") == 1


def test_each_level_takes_fewer_bytes_than_the_one_before(tmp_path: Path) -> None:
    rows = steps(20_000)
    sizes = [Path(written(rows, level, tmp_path / f"{level}.parquet")).stat().st_size for level in LEVELS]
    assert sizes[0] > sizes[1] > sizes[2]
