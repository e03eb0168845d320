"""Batches of a vectorised environment: the rows of some of its environments, and one environment's value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


def column_of(space: gymnasium.Space[Any], batch: Any, rows: Rows) -> Any:
    """Return the values of these environments, as `Publisher.publish_columns` takes a column."""
    if isinstance(space, gymnasium.spaces.Dict):
        return {name: column_of(inner, batch[name], rows) for name, inner in space.spaces.items()}
    if isinstance(space, gymnasium.spaces.Tuple):
        return {f"item_{i}": column_of(inner, batch[i], rows) for i, inner in enumerate(space.spaces)}
    return rows_of(batch, rows)


def rows_of(values: Any, rows: Rows) -> Any:
    """Return the values of these environments; what is no sequence is every environment's."""
    if isinstance(values, np.ndarray) and values.ndim:
        return values if len(rows) == len(values) else values[rows]
    if isinstance(values, list | tuple):
        return list(values) if len(rows) == len(values) else [values[row] for row in rows.tolist()]
    if isinstance(values, Mapping):
        return {name: rows_of(part, rows) for name, part in values.items()}
    return [values] * len(rows)


def value_of(space: gymnasium.Space[Any], batch: Any, row: int) -> Any:
    """Return one environment's value."""
    if isinstance(space, gymnasium.spaces.Dict):
        return {name: value_of(inner, batch[name], row) for name, inner in space.spaces.items()}
    if isinstance(space, gymnasium.spaces.Tuple):
        return tuple(value_of(inner, batch[i], row) for i, inner in enumerate(space.spaces))
    return batch[row]


def info_of(infos: Mapping[str, Any], row: int, keys: Sequence[str] | None = None) -> dict[str, Any]:
    """Return one environment's info: of each field, where its mask `_field` says that it has it."""
    held = {}
    for key in infos if keys is None else keys:
        if key not in infos or (keys is None and key.startswith("_")):
            continue
        has = infos.get(f"_{key}")
        if has is None or has[row]:
            value = infos[key]
            held[key] = info_of(value, row) if isinstance(value, Mapping) else value[row]
    return held
