"""Shifted actions: rows whose propensity is not that of their action, but of the action of a neighbour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from validation.audits.examples import row_examples
from validation.audits.finding import Finding
from validation.neighbours import order_steps, read_steps

_LEAST = 10  # rows
_AGREE = 0.9  # share of the rows that are explained so; of two actions the other one often is a neighbour's
_NEEDED = ("source", "agent_id", "episode_id", "step")
_NAMES = {1: "after", -1: "before"}


def find_shifted_actions(
    steps: pa.Table, wrong: NDArray[np.bool_], agrees: Callable[[pa.Table], NDArray[np.bool_]]
) -> list[Finding]:
    """Ask whether the wrong rows would be right with the action of the step before, or after.

    `agrees` says of a table with other actions in which rows the propensities are the policy's.
    """
    if any(name not in steps.column_names for name in _NEEDED):
        return []
    ordered = order_steps(read_steps(steps.select(_NEEDED), _NEEDED))
    here, there = np.flatnonzero(ordered.follows), np.flatnonzero(ordered.follows) + 1
    for by, (own, other) in ((1, (here, there)), (-1, (there, here))):
        rows, neighbours = ordered.rows[own], ordered.rows[other]
        asked = wrong[rows]
        rows, neighbours = rows[asked], neighbours[asked]
        if len(rows) < _LEAST:
            continue
        source = np.arange(steps.num_rows)
        source[rows] = neighbours
        column = steps.schema.get_field_index("action")
        shifted = steps.set_column(column, steps.schema.field(column), steps["action"].take(pa.array(source)))
        explained = rows[agrees(shifted)[rows]]
        if len(explained) < _AGREE * len(rows):
            continue
        return [
            Finding(
                "propensities",
                "shifted_action",
                "action",
                "critical",
                f"{len(explained)} of {steps.num_rows} rows have the propensity of the action of the step "
                f"{_NAMES[by]}: the actions look shifted.",
                len(explained),
                steps.num_rows,
                value=len(explained) / len(rows),
                threshold=_AGREE,
                examples=row_examples(steps, explained, {}),
            )
        ]
    return []
