"""Values straight from a file's pages are those that Arrow reads, or are left to it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.reading.pages import NotPlainError, check_pages, column_index, plain_values
from lake.reading.projection import space_leaves
from schemas.spaces import Box, Dict, MultiBinary, MultiDiscrete, Space, Tuple

SPACES: list[Space] = [
    *(Box(shape=(3,), dtype=dtype) for dtype in ("float32", "float64", "float16", "int8", "uint16", "int64")),
    Box(shape=(2, 5), dtype="uint8"),
    MultiDiscrete(nvec=(3, 4)),
    MultiBinary(shape=(2, 2)),
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"compression": "zstd"},
    {"compression": "none", "data_page_version": "2.0"},
    {"compression": "zstd", "data_page_version": "2.0", "write_page_checksum": True},
    {"compression": "zstd", "write_page_index": True},
]


def values_of(space: Space, rows: int, seed: int) -> list[Any]:
    """Return values of the space's Arrow type."""
    random = np.random.default_rng(seed)
    (leaf,) = space_leaves(space, "x", required=True)
    numbers = random.integers(0, 100, (rows, leaf.size))
    if leaf.dtype == np.uint8:
        return [row.astype(np.uint8).tobytes() for row in numbers]
    return list(numbers.tolist())


def read(file: bytes, space: Space, path: tuple[str, ...] = ()) -> Any:
    """Read all row groups of a column by its pages."""
    metadata = pq.read_metadata(io.BytesIO(file))
    (leaf,) = space_leaves(space, "x", path, required=True)
    index = column_index(metadata, leaf)
    assert index is not None
    pages = [
        values
        for group in range(metadata.num_row_groups)
        for values in plain_values(pa.BufferReader(file), metadata, group, index, leaf)
    ]
    return np.concatenate(pages).astype(leaf.dtype).reshape(-1, *leaf.shape)


def written(column: pa.Array, **options: Any) -> bytes:
    """Write a file of one column."""
    sink = io.BytesIO()
    chosen = {"use_dictionary": False, "data_page_size": 256, "write_batch_size": 3} | options
    pq.write_table(pa.table({"y": pa.nulls(len(column)), "x": column}), sink, **chosen)
    return sink.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    space=st.sampled_from(SPACES),
    options=st.sampled_from(OPTIONS),
    rows=st.integers(1, 400),
    group=st.integers(1, 300),
    seed=st.integers(0, 9),
)
def test_pages_hold_what_was_written(
    space: Space, options: dict[str, Any], rows: int, group: int, seed: int
) -> None:
    values = values_of(space, rows, seed)
    file = written(pa.array(values, space.arrow_type), row_group_size=group, **options)
    flat = [list(value) for value in values]
    assert read(file, space).reshape(rows, -1).tolist() == flat


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bytes_that_were_split_are_put_together(dtype: Any) -> None:
    space = Box(shape=(3,), dtype=dtype)
    values = values_of(space, 100, 0)
    file = written(
        pa.array(values, space.arrow_type), column_encoding={"x.list.element": "BYTE_STREAM_SPLIT"}
    )
    assert read(file, space).tolist() == values


def test_fields_of_a_struct() -> None:
    inner = Box(shape=(2,), dtype="float64")
    space = Dict(spaces={"a": Tuple(spaces=(Box(shape=(2,), dtype="uint8"), inner)), "ab": inner})
    rows = [{"a": {"item_0": b"xy", "item_1": [n, -n]}, "ab": [7.0, 7.0]} for n in range(50)]
    file = written(pa.array(rows, space.arrow_type))
    assert read(file, inner, ("a", "item_1")).tolist() == [[n, -n] for n in range(50)]
    assert read(file, inner, ("ab",)).tolist() == [[7.0, 7.0]] * 50


FLOATS = Box(shape=(2,))
BYTES = Box(shape=(2,), dtype="uint8")


@pytest.mark.parametrize(
    ("space", "values", "options"),
    [
        (FLOATS, [[1.0, 2.0], None], {}),
        (FLOATS, [[1.0, 2.0], [1.0, None]], {}),
        (FLOATS, [[1.0, 2.0], [1.0]], {}),
        (FLOATS, [[1.0, 2.0]] * 9, {"use_dictionary": True}),
        (FLOATS, [[1.0, 2.0]] * 9, {"compression": "gzip"}),
        (BYTES, [b"ab", None], {}),
        (BYTES, [b"ab", b"abc", b"a"], {}),
        (BYTES, [b"ab", b"ab"], {"use_dictionary": True}),
        (BYTES, [b"ab", b"ab"], {"column_encoding": {"x": "DELTA_BYTE_ARRAY"}}),
        (
            MultiDiscrete(nvec=(2, 2)),
            [[0, 1]] * 9,
            {"column_encoding": {"x.list.element": "DELTA_BINARY_PACKED"}},
        ),
    ],
)
def test_what_is_not_plain_is_left_to_arrow(space: Space, values: Any, options: dict[str, Any]) -> None:
    file = written(pa.array(values, space.arrow_type), **options)
    with pytest.raises(NotPlainError):
        read(file, space)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), version=st.sampled_from(["1.0", "2.0"]), codec=st.sampled_from(["zstd", "none"]))
def test_a_damaged_file_never_reads_as_other_numbers(data: st.DataObject, version: str, codec: str) -> None:
    values = values_of(FLOATS, 60, 0)
    options = {"compression": codec, "data_page_version": version, "write_page_checksum": True}
    file = bytearray(written(pa.array(values, FLOATS.arrow_type), **options))
    chunk = pq.read_metadata(io.BytesIO(file)).row_group(0).column(1)
    place = chunk.data_page_offset + data.draw(st.integers(0, chunk.total_compressed_size - 1))
    file[place] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(file), FLOATS)
    except (NotPlainError, pa.ArrowException, OSError):
        return
    assert found.tolist() == values


@pytest.mark.parametrize("length", [10, 4000], ids=["short", "long"])
@pytest.mark.parametrize("use_dictionary", [True, False])
def test_pages_are_checked_whose_headers_hold_long_texts(length: int, use_dictionary: bool) -> None:
    texts = pa.array([f"{number:04}" * (length // 4) for number in range(40)])
    options = {"use_dictionary": use_dictionary, "write_page_checksum": True, "data_page_size": 1 << 20}
    file = bytearray(written(texts, **options))
    chunk = pq.read_metadata(io.BytesIO(file)).row_group(0).column(1)
    check_pages(pa.BufferReader(bytes(file)), chunk)
    start = chunk.dictionary_page_offset if use_dictionary else chunk.data_page_offset
    file[start + chunk.total_compressed_size - 1] ^= 1
    with pytest.raises(OSError, match="checksum"):
        check_pages(pa.BufferReader(bytes(file)), chunk)


def test_other_bytes_than_the_checksum_says_are_an_error() -> None:
    file = bytearray(written(pa.array(values_of(FLOATS, 60, 0), FLOATS.arrow_type), write_page_checksum=True))
    chunk = pq.read_metadata(io.BytesIO(file)).row_group(0).column(1)
    file[chunk.data_page_offset + chunk.total_compressed_size - 1] ^= 1
    with pytest.raises(OSError, match="checksum"):
        read(bytes(file), FLOATS)
