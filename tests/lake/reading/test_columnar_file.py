"""The file behind the cache: columns of fixed width, however many values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from lake.reading.columnar_file import create_columns, map_columns
from lake.reading.sinks import Column


def test_more_values_than_32_bits_count(tmp_path: Path) -> None:
    """As an archive of 20 GB has; here nearly all of them are a hole, which takes no room."""
    path, rows, wide = tmp_path / "columns.arrow", 2100, 1 << 20
    assert rows * wide > 1 << 31
    columns = {"pixels": Column(np.dtype(np.uint8), (wide,), rows), "done": Column(np.dtype(bool), (), rows)}
    with create_columns(path, columns) as sink:
        sink.put("pixels", rows - 1, np.full((1, wide), 7, np.uint8))
        sink.put("done", rows - 1, np.ones(1, bool))
    arrays = map_columns(path, columns)
    assert set(np.unique(arrays["pixels"][-1])) == {7}
    assert not arrays["pixels"][-2].any()
    assert arrays["done"].tolist() == [False] * (rows - 1) + [True]
    assert pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0).num_rows == rows
    assert path.stat().st_blocks * 512 < wide * 8
