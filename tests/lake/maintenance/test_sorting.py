"""Sorting in runs on the disk gives what sorting in memory gives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.maintenance.sorting import sorted_tables

SCHEMA = pa.schema([("name", pa.string()), ("step", pa.int64()), ("place", pa.int64())])
ROWS = st.tuples(st.sampled_from([None, "", "a", "aa", "é", "\U0001f600"]), st.sampled_from([None, -1, 0, 7]))


def slow(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["name"] is not None, row["name"] or "", row["step"] is not None, row["step"] or 0)


@given(st.lists(st.lists(ROWS, max_size=20), max_size=8), st.sampled_from([1, 200, 1 << 20]))
@settings(max_examples=60)
def test_runs_and_ranges_are_as_one_sort(batches: list[list[tuple[Any, Any]]], run_bytes: int) -> None:
    places = iter(range(1_000))
    tables = [
        pa.Table.from_pylist(
            [{"name": name, "step": step, "place": next(places)} for name, step in batch], schema=SCHEMA
        )
        for batch in batches
    ]
    rows = [row for table in tables for row in table.to_pylist()]
    with tempfile.TemporaryDirectory() as folder:
        found = list(sorted_tables(iter(tables), ("name", "step", "gone"), run_bytes, Path(folder)))
        assert list(Path(folder).iterdir()) == []
    assert [row for table in found for row in table.to_pylist()] == sorted(rows, key=slow)
