"""The masks agree with a slow reference that looks at one Python value at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.membership import bounds_mask, finite_mask, has_bounds, has_floats, has_shape, shape_mask
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Space, Text, Tuple

INF = math.inf
_STORED = {"uint16": "int32", "uint32": "int64", "float16": "float32"}


def _size(space: Any) -> int:
    return len(space.nvec) if isinstance(space, MultiDiscrete) else math.prod(space.shape)


def _fields(space: Any, value: Any) -> list[tuple[Space, Any]]:
    return [(inner, value[name]) for name, inner in space.fields.items()]


def shape_ok(space: Space, value: Any) -> bool:
    if isinstance(space, Dict | Tuple):
        return all(held is not None and shape_ok(inner, held) for inner, held in _fields(space, value))
    if isinstance(space, Box | MultiDiscrete | MultiBinary):
        return len(value) == _size(space) and None not in list(value)
    return True


def finite_ok(space: Space, value: Any) -> bool:
    if value is None:
        return True
    if isinstance(space, Dict | Tuple):
        return all(finite_ok(inner, held) for inner, held in _fields(space, value))
    numbers = value if isinstance(value, list | bytes) else [value]
    return all(not isinstance(number, float) or math.isfinite(number) for number in numbers)


def bounds_ok(space: Space, value: Any) -> bool:
    if value is None:
        return True
    if isinstance(space, Dict | Tuple):
        return all(bounds_ok(inner, held) for inner, held in _fields(space, value))
    if isinstance(space, Discrete):
        return bool(space.start <= value < space.start + space.n)
    if isinstance(space, Text):
        return space.min_length <= len(value) <= space.max_length
    if isinstance(space, Scalar) or len(value) != _size(space):
        return True
    return all(number is None or _element_ok(space, i, number) for i, number in enumerate(value))


def _element_ok(space: Any, index: int, number: Any) -> bool:
    if isinstance(space, MultiBinary):
        return number in (0, 1)
    if isinstance(space, MultiDiscrete):
        start = space.start[index] if space.start else 0
        return bool(start <= number < start + space.nvec[index])
    low, high = (end[index] if isinstance(end, tuple) else end for end in (space.low, space.high))
    if space.dtype.startswith("float"):
        to = np.dtype(space.dtype).type
        return not (number < float(to(low)) or number > float(to(high)))
    if space.dtype != "bool":
        low, high = max(low, np.iinfo(space.dtype).min), min(high, np.iinfo(space.dtype).max)
    return bool(low <= number <= high)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    dtype = draw(
        st.sampled_from(["float16", "float32", "float64", "int8", "int64", "uint8", "uint16", "bool"])
    )
    shape = draw(st.sampled_from([(), (1,), (3,), (2, 2)]))
    size = math.prod(shape)
    if dtype == "bool":
        return Box(shape=shape, dtype=dtype)
    edge = st.sampled_from([-INF, -4.8, -1.0, 0.0]), st.sampled_from([0.1, 1.0, 100.5, INF])
    low, high = (draw(st.one_of(e, st.tuples(*[e] * size))) for e in edge)
    return Box(shape=shape, dtype=dtype, low=low, high=high)


_LEAVES = st.one_of(
    boxes(),
    st.builds(Discrete, n=st.integers(1, 4), start=st.integers(-2, 2)),
    st.just(MultiDiscrete(nvec=(2, 3), start=(0, 5))),
    st.just(MultiDiscrete(nvec=(2, 3))),
    st.just(MultiBinary(shape=(3,))),
    st.just(Text(max_length=3, min_length=1)),
    st.just(Scalar(dtype="float64")),
    st.just(Scalar(dtype="string")),
)
SPACES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda spaces: Dict(spaces=spaces), st.dictionaries(st.sampled_from("abc"), inner, min_size=1)
        ),
        st.builds(lambda spaces: Tuple(spaces=tuple(spaces)), st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=3,
)


def _numbers(space: Any) -> st.SearchStrategy[Any]:
    if isinstance(space, Box) and space.dtype.startswith("float"):
        near = st.sampled_from([0.0, 0.5, 4.8, -4.8, 0.1, INF, -INF, math.nan])
        return near.map(lambda x: float(np.float32(x)) if space.dtype != "float64" else x)
    if isinstance(space, Box) and space.dtype == "bool":
        return st.booleans()
    if isinstance(space, MultiDiscrete):
        return st.integers(-1, 8)
    dtype = "int8" if isinstance(space, MultiBinary) else _STORED.get(space.dtype, space.dtype)
    information = np.iinfo(dtype)
    ends = st.sampled_from([int(information.min), int(information.max)])
    return st.one_of(st.integers(-2, 2).filter(lambda x: x >= information.min), ends)


def values(space: Space) -> st.SearchStrategy[Any]:
    """Draw values of the space's Arrow type, right ones and wrong ones."""
    if isinstance(space, Dict | Tuple):
        return st.fixed_dictionaries(
            {name: st.one_of(values(inner), st.none()) for name, inner in space.fields.items()}
        )
    if isinstance(space, Discrete):
        return st.integers(-4, 6)
    if isinstance(space, Text):
        return st.text("aé€", max_size=5)
    if isinstance(space, Scalar):
        return st.text(max_size=2) if space.dtype == "string" else st.floats()
    size = _size(space)
    lengths = st.one_of(st.just(size), st.just(size), st.integers(0, size + 1))
    if isinstance(space, Box) and space.dtype == "uint8":
        return lengths.flatmap(lambda n: st.binary(min_size=n, max_size=n))
    element = st.one_of(_numbers(space), _numbers(space), _numbers(space), st.none())
    return lengths.flatmap(lambda n: st.lists(element, min_size=n, max_size=n))


@st.composite
def columns(draw: st.DrawFn) -> tuple[Space, list[Any], pa.Array | pa.ChunkedArray]:
    """Draw a space, rows of it, and the rows as Arrow: whole, sliced out of more, or in chunks."""
    space = draw(SPACES)
    rows = draw(st.lists(st.one_of(values(space), values(space), st.none()), max_size=8))
    array = pa.array(rows, space.arrow_type)
    start = draw(st.integers(0, len(rows)))
    stop = draw(st.integers(start, len(rows)))
    form = draw(st.sampled_from(["whole", "sliced", "chunked"]))
    if form == "sliced":
        return space, rows[start:stop], array.slice(start, stop - start)
    if form == "chunked":
        cuts = [array.slice(0, start), array.slice(start, stop - start), array.slice(stop)]
        return space, rows, pa.chunked_array(cuts, space.arrow_type)
    return space, rows, array


@settings(max_examples=400, deadline=None)
@given(columns())
def test_masks_agree_with_the_reference(column: tuple[Space, list[Any], pa.Array]) -> None:
    space, rows, array = column
    for mask, reference in ((shape_mask, shape_ok), (finite_mask, finite_ok), (bounds_mask, bounds_ok)):
        expected = [row is None or reference(space, row) for row in rows]
        assert mask(space, array).tolist() == expected, (mask.__name__, space, array.to_pylist())


@settings(max_examples=150, deadline=None)
@given(columns())
def test_what_a_space_cannot_miss_is_never_missed(column: tuple[Space, list[Any], pa.Array]) -> None:
    space, _, array = column
    for can, mask in ((has_shape, shape_mask), (has_floats, finite_mask), (has_bounds, bounds_mask)):
        assert can(space) or mask(space, array).all()


def test_many_chunks_are_judged_as_one() -> None:
    rows = pa.array([[float(i % 7), 0.0] for i in range(20_000)], pa.list_(pa.float32()))
    chunks = pa.chunked_array([rows.slice(i, 5000) for i in range(0, 20_000, 5000)])
    space = Box(shape=(2,), high=5.0)
    assert bounds_mask(space, chunks).tolist() == [i % 7 <= 5 for i in range(20_000)]


def test_a_null_row_may_hide_elements() -> None:
    """Arrow allows a null list to cover a range of elements; these belong to no row."""
    numbers = pa.array([1.0, math.nan, 9.0, 1.0], pa.float32())
    hidden = pa.ListArray.from_arrays(
        pa.array([0, 1, 2, 4], pa.int32()), numbers, mask=pa.array([False, True, False])
    )
    space = Box(shape=(1,), high=5.0)
    assert shape_mask(space, hidden).tolist() == [True, True, False]
    assert finite_mask(space, hidden).tolist() == [True, True, True]
    assert bounds_mask(space, hidden).tolist() == [True, True, True]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_bound_may_be_reached_in_the_dtype_of_the_column(dtype: str) -> None:
    bound = float(np.dtype(dtype).type(4.8))
    column = pa.array(
        [[bound], [float(np.nextafter(np.dtype(dtype).type(4.8), INF))]], pa.list_(pa.type_for_alias(dtype))
    )
    assert bounds_mask(Box(shape=(1,), dtype=dtype, high=4.8), column).tolist() == [True, False]


def test_the_largest_integer_is_inside_its_dtype() -> None:
    column = pa.array([[2**63 - 1], [-(2**63)]], pa.list_(pa.int64()))
    assert bounds_mask(Box(shape=(1,), dtype="int64", high=2.0**63), column).all()
    assert bounds_mask(Box(shape=(1,), dtype="int64", high=2.0**62), column).tolist() == [False, True]


def test_a_column_wider_than_its_dtype_is_bounded_by_the_dtype() -> None:
    column = pa.array([[65535], [65536], [-1]], pa.list_(pa.int32()))
    assert bounds_mask(Box(shape=(1,), dtype="uint16"), column).tolist() == [True, False, False]


def test_images_are_judged_by_their_bytes() -> None:
    column = pa.array([b"\x00\x07", b"\x00", None, b"\x09\x00"], pa.large_binary())
    space = Box(shape=(2,), dtype="uint8", high=8.0)
    assert shape_mask(space, column).tolist() == [True, False, True, True]
    assert bounds_mask(space, column).tolist() == [True, True, True, False]
