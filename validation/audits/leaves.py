"""Leaves: each number, and each category, that experience holds, as a vector with a name of its own.

A leaf is named as findings name it: `reward`, `observation[2]`, `observation.board[3]`. The elements of a
vector are counted in row-major order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.membership import vector_size
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple
from schemas.step import DATE_FIELD, GATE_FIELDS, KEY_COLUMNS, LINEAGE_FIELDS

Numbers = NDArray[np.float64]
Named = Iterator[tuple[str, Any]]

WIDEST = 64  # elements; a wider vector is told by its summaries
SUMMARIES = ("mean", "std", "min", "max")
NUMERIC_COLUMNS = ("observation", "action", "reward", "next_observation", "discount", "action_log_prob")
CATEGORICAL_COLUMNS = (
    "observation",
    "action",
    "next_observation",
    "terminated",
    "truncated",
    "policy_version",
)
# What says where a row came from and what was thought of it, and nothing of what happened.
_BOOKKEEPING = frozenset(
    {*KEY_COLUMNS, *(field.name for field in (*GATE_FIELDS, *LINEAGE_FIELDS, DATE_FIELD))}
    | {"action_mask", "event_time", "info", "priority"}
)
_BLOCK = 1 << 22  # numbers that are turned into float64 at a time for summaries
_SMALL_CHUNK = 4096


def numeric_leaves(
    steps: pa.Table | pl.DataFrame, spec: ArchiveSpec | None = None, columns: Sequence[str] | None = None
) -> dict[str, Numbers]:
    """Return each number of the steps as float64, one value a row, in the order of the columns.

    NaN stands where a value is null or missing, or where the vector that it is of has another length
    than the others. Vectors of more than 64 elements come as `.mean`, `.std`, `.min` and `.max`. Times are
    seconds since 1970. Columns that are not there are left out; None is for what an agent sees, does and
    gets, with the spec's extras; without a spec, for all that is not a key, lineage or the gate's.
    """
    return _leaves(steps, spec, columns, NUMERIC_COLUMNS, _numeric)


def categorical_leaves(
    steps: pa.Table | pl.DataFrame, spec: ArchiveSpec | None = None, columns: Sequence[str] | None = None
) -> dict[str, pl.Series]:
    """Return what is one of a few things, as series with nulls: numbers of discrete spaces, texts, booleans.

    Without a spec, texts and booleans only: nothing tells which whole numbers count and which only name.
    """
    return {
        name: pl.Series(name, values)
        for name, values in _leaves(steps, spec, columns, CATEGORICAL_COLUMNS, _categorical).items()
    }


def space_arrays(column: pa.ChunkedArray, space: Space) -> Any:
    """Return a column as a policy takes it: (N, *shape) of float64, (N,) for one number, a dict of such.

    Values that are missing or of the wrong shape are NaN. Raise UsageError for texts.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(space, Dict | Tuple):
        return {field: space_arrays(held, inner) for field, held, inner in _fields(array, space) if inner}
    if isinstance(space, Box | MultiDiscrete | MultiBinary):
        shape = space.shape or ((len(space.nvec),) if isinstance(space, MultiDiscrete) else ())
        return _matrix(array, vector_size(space)).T.reshape(len(array), *shape)
    if not _is_numeric(array.type):
        raise UsageError(
            f"A {space.type} space has no numbers for a policy.",
            hint="Give a policy of numeric observations.",
        )
    return _numbers(array)


def column_of(leaf: str) -> str:
    """Return the column that a leaf is of: `observation` for `observation.board[3]`."""
    return re.split(r"[.\[]", leaf, maxsplit=1)[0]


def table_of(steps: pa.Table | pl.DataFrame) -> pa.Table:
    """Return Arrow rows of either kind of table."""
    return steps.to_arrow() if isinstance(steps, pl.DataFrame) else steps


def _leaves(
    steps: pa.Table | pl.DataFrame,
    spec: ArchiveSpec | None,
    columns: Sequence[str] | None,
    usual: tuple[str, ...],
    read: Callable[[str, pa.Array, Space | None, int], Named],
) -> dict[str, Any]:
    table = table_of(steps)
    if columns is None:
        columns = (*usual, *spec.extras) if spec else [c for c in table.column_names if c not in _BOOKKEEPING]
    spaces: dict[str, Space] = spec.spaces if spec else {}
    leaves: dict[str, Any] = {}
    for name in columns:
        if name not in table.column_names:
            continue
        column, space = table[name], spaces.get(name)
        width = _width(column) if space is None else 0
        parts: dict[str, list[Any]] = {}
        for chunk in _chunks(column, together=space is None):
            for leaf, values in read(name, chunk, space, width):
                parts.setdefault(leaf, []).append(values)
        leaves |= {leaf: held[0] if len(held) == 1 else _joined(held) for leaf, held in parts.items()}
    return leaves


def _chunks(column: pa.ChunkedArray, *, together: bool) -> list[pa.Array]:
    """Return the chunks; in one where they are small, or where a struct's lists are to be measured."""
    if column.num_chunks == 0:
        return [pa.array([], column.type)]
    small = column.num_chunks > 1 and len(column) < _SMALL_CHUNK * column.num_chunks
    if small or (together and pa.types.is_struct(column.type)):
        return [column.combine_chunks()]
    return list(column.chunks)


def _joined(held: list[Any]) -> Any:
    return np.concatenate(held) if isinstance(held[0], np.ndarray) else pa.chunked_array(held)


def _numeric(name: str, array: pa.Array, space: Space | None, width: int) -> Named:
    if pa.types.is_struct(array.type):
        for field, held, inner in _fields(array, space):
            yield from _numeric(f"{name}.{field}", held, inner, _width(held) if inner is None else 0)
    elif isinstance(space, Box | MultiDiscrete | MultiBinary):
        yield from _elements(name, array, vector_size(space))
    elif _is_list(array.type) and space is None and width:
        yield from _elements(name, array, width)
    elif _is_numeric(array.type) or pa.types.is_timestamp(array.type):
        yield name, _numbers(array)


def _categorical(name: str, array: pa.Array, space: Space | None, width: int) -> Named:
    if pa.types.is_struct(array.type):
        for field, held, inner in _fields(array, space):
            yield from _categorical(f"{name}.{field}", held, inner, width)
    elif isinstance(space, MultiDiscrete | MultiBinary) and vector_size(space) <= WIDEST:
        for index, held in enumerate(_matrix(array, vector_size(space))):
            yield f"{name}[{index}]", pa.array(held, from_pandas=True).cast(pa.int64())
    elif isinstance(space, Discrete) or pa.types.is_boolean(array.type) or _is_text(array.type):
        yield name, array


def _fields(array: pa.Array, space: Space | None) -> Iterator[tuple[str, pa.Array, Space | None]]:
    inner: dict[str, Space] = space.fields if isinstance(space, Dict | Tuple) else {}
    for field, held in zip(array.type, array.flatten(), strict=True):  # flatten hands the struct's nulls down
        yield field.name, held, inner.get(field.name)


def _elements(name: str, array: pa.Array, width: int) -> Named:
    if width <= WIDEST:
        for index, held in enumerate(_matrix(array, width)):
            yield f"{name}[{index}]", held
        return
    rows = max(1, _BLOCK // width)
    blocks = [_summaries(_matrix(array.slice(at, rows), width)) for at in range(0, max(1, len(array)), rows)]
    for index, summary in enumerate(SUMMARIES):
        yield f"{name}.{summary}", np.concatenate([block[index] for block in blocks])


def _summaries(matrix: Numbers) -> tuple[Numbers, ...]:
    with np.errstate(invalid="ignore", over="ignore"):  # of infinities there is no mean
        return matrix.mean(0), matrix.std(0), matrix.min(0), matrix.max(0)


def _matrix(array: pa.Array, width: int) -> Numbers:
    """Return the elements of lists or bytes, a row for each element; NaN for lists of another length."""
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        lengths, flatten = pc.binary_length(array), _bytes
    else:
        lengths, flatten = pc.list_value_length(array), pc.list_flatten
    whole = np.asarray(pc.fill_null(pc.equal(lengths, width), False))
    if whole.all():
        held = _numbers(flatten(array)).reshape(-1, width)
    else:
        held = np.full((len(array), width), np.nan)
        held[whole] = _numbers(flatten(array.filter(pa.array(whole)))).reshape(-1, width)
    return np.ascontiguousarray(held.T)


def _bytes(array: pa.Array) -> pa.Array:
    wide = pa.types.is_large_binary(array.type)
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, np.int64 if wide else np.int32)[array.offset :] if len(array) else [0]
    held = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
    return pa.array(held[bounds[0] : bounds[len(array)]])


def _numbers(array: pa.Array) -> Numbers:
    if pa.types.is_timestamp(array.type):
        micros = array.cast(pa.timestamp("us", array.type.tz)).cast(pa.int64())
        return _numbers(micros) / 1e6
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    if array.null_count:
        array = array.cast(pa.float64(), safe=False).fill_null(np.nan)
    numbers: Numbers = array.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    return numbers


def _width(column: pa.Array | pa.ChunkedArray) -> int:
    """Return the commonest length of a column's lists; 0 where it has none, or they hold no numbers."""
    type_ = column.type
    if not _is_list(type_) or not (_is_numeric(type_.value_type) or pa.types.is_boolean(type_.value_type)):
        return 0
    commonest = pc.mode(pc.list_value_length(column))
    return int(commonest[0]["mode"].as_py()) if len(commonest) else 0


def _is_list(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)
    )


def _is_numeric(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def _is_text(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_string_view(type_)
        or (pa.types.is_dictionary(type_) and _is_text(type_.value_type))
    )
