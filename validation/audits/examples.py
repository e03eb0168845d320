"""Examples: a few rows that a finding is about, told by their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.step import KEY_COLUMNS

SHOWN = 10


def row_examples(
    steps: pa.Table, rows: NDArray[np.intp], told: Mapping[str, NDArray[Any]], shown: int = SHOWN
) -> tuple[dict[str, Any], ...]:
    """Return the first of these rows: their place, those of their keys that are there, and figures.

    The figures are of every row of the table; what is not finite is None: JSON has no word for it.
    """
    few = rows[:shown]
    names = [name for name in KEY_COLUMNS if name in steps.column_names]
    keys: Sequence[Mapping[str, Any]] = [{}] * len(few)
    if names:
        keys = steps.select(names).take(pa.array(few, pa.int64())).to_pylist()
    return tuple(
        {"row": int(row)}
        | {name: value for name, value in key.items() if value is not None}
        | {name: _plain(values[row]) for name, values in told.items()}
        for row, key in zip(few, keys, strict=True)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return value if not isinstance(value, float) or np.isfinite(value) else None
