"""A snapshot in arrays: columns of its steps, and which of the steps are transitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.reading.fill import COMPLETE, EPISODE, FOLLOWS, NEXT, threads
from lake.reading.projection import Projection
from schemas.errors import UsageError
from schemas.transitions import NStep, Transitions, n_step_returns

_GATHERED_BYTES = 4 << 20  # that one thread gathers at a time

Array = NDArray[Any]
Values = Array | dict[str, "Values"]  # by field, for a Dict or a Tuple space


@dataclass(frozen=True, eq=False)
class StepArrays:
    """Hold the columns of M steps, N of which are transitions, in the order of their full key.

    Each observation is there once: the next one of a transition is a row of the same array, which has a
    few more rows at its end for what followed a step and is no step itself. `frames`, `place` and
    `next_place` are what a learner takes to its device; `column`, `batch` and `next_observation` gather.
    """

    snapshot_id: str
    projection: Projection
    arrays: Mapping[str, Array]  # (M, ...) by leaf, the observation with more rows
    steps: int
    episodes: pl.DataFrame | None = field(repr=False)  # the key of each episode, by its number

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """Which steps are transitions, and so the row of each one's observation in `frames`: (N,)."""
        return np.flatnonzero(self.arrays[COMPLETE])

    @cached_property
    def next_place(self) -> NDArray[np.int64]:
        """The row of each transition's next observation in `frames`, or -1: it terminated without: (N,)."""
        if NEXT not in self.arrays:
            raise UsageError("The column 'next_observation' was not read.", hint="Name it among the columns.")
        return self._of_transitions(self.arrays[NEXT])

    @property
    def frames(self) -> Values:
        """All observations, each once: (M and a few, *shape), or a mapping of such by field."""
        return self._nested("observation", lambda array: array)

    @cached_property
    def follows(self) -> NDArray[np.bool_]:
        """Whether the transition after each is the next turn of the same agent and episode: (N,)."""
        return self._of_transitions(self.arrays[FOLLOWS])

    @property
    def names(self) -> list[str]:
        """The columns that were read."""
        derived = ["next_observation"] if self.projection.next_observation else []
        return self.projection.columns + derived + ([EPISODE] if self.projection.keys else [])

    def __len__(self) -> int:
        return len(self.place)

    def column(self, name: str) -> Values:
        """Return a column of the transitions, without a copy where every step is one."""
        if name == "next_observation":
            return self.next_observation()
        return self._nested(name, self._of_transitions)

    def array(self, name: str) -> Array:
        """Return a column that is one array; raise UsageError for the mapping of a Dict or a Tuple."""
        values = self.column(name)
        if isinstance(values, dict):
            raise UsageError(
                f"The {name} has the fields {', '.join(values)}, and is no one array.",
                hint="Read it with `read_arrays`, and take its fields.",
            )
        return values

    def next_observation(self, rows: NDArray[np.int64] | None = None) -> Values:
        """Gather the next observations of transitions, of all or of some; zeros where there is none."""
        chosen = self.next_place if rows is None else self.next_place[rows]
        return self._nested("observation", lambda array: gathered(array, chosen))

    def batch(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """Gather all columns of some transitions."""
        places = self.place[rows]
        values = {name: self._nested(name, lambda array: array.take(places, axis=0)) for name in self._held}
        if self.projection.next_observation:
            values["next_observation"] = self.next_observation(rows)
        return values

    def n_step(self, n: int, gamma: float) -> NStep:
        """Return the n-step returns of the transitions; `last` counts transitions."""
        reward, terminated, discount = (
            self._of_transitions(self.arrays[name]) for name in ("reward", "terminated", "discount")
        )
        return n_step_returns(reward, terminated, self.follows, discount, n, gamma)

    def transitions(self) -> Transitions:
        """Return all transitions dense, the next observations copied; raise UsageError for Dict and Tuple."""
        names = ("observation", "action", "reward", "next_observation", "terminated", "discount")
        return Transitions(**{name: self.array(name) for name in names}, follows=self.follows)

    @property
    def _held(self) -> list[str]:
        return self.projection.columns + ([EPISODE] if self.projection.keys else [])

    def _of_transitions(self, array: Array) -> Array:
        return array[: self.steps] if len(self.place) == self.steps else array[self.place]

    def _nested(self, column: str, change: Callable[[Array], Array]) -> Values:
        if column == EPISODE and EPISODE in self.arrays:
            return change(self.arrays[EPISODE])
        leaves = [leaf for leaf in self.projection.leaves if leaf.column == column]
        if not leaves:
            raise UsageError(
                f"The column {column!r} was not read.", hint=f"There are {', '.join(self.names)}."
            )
        return nested({leaf.path: change(self.arrays[leaf.name]) for leaf in leaves})


def nested(arrays: Mapping[tuple[str, ...], Array]) -> Values:
    """Return the one array, or a mapping by field of what is below it."""
    if () in arrays:
        return arrays[()]
    fields: dict[str, dict[tuple[str, ...], Array]] = {}
    for path, array in arrays.items():
        fields.setdefault(path[0], {})[path[1:]] = array
    return {name: nested(below) for name, below in fields.items()}


def gathered(array: Array, places: NDArray[np.int64]) -> Array:
    """Return rows of an array, zeros for the place -1."""
    result = np.empty((len(places), *array.shape[1:]), array.dtype)
    rows = max(1, _GATHERED_BYTES * len(places) // max(1, result.nbytes))
    starts = range(0, len(places), rows)

    def gather(start: int) -> None:
        _gather(array, places[start : start + rows], result[start : start + rows])

    if len(starts) < 2:
        for start in starts:
            gather(start)
        return result
    with threads() as parallel:
        for _ in parallel(gather, starts):
            pass
    return result


def _gather(array: Array, places: NDArray[np.int64], result: Array) -> None:
    """Fill in rows; where most of them lie one behind the other they are copied at once, then the others."""
    middle = len(places) // 2
    first = int(places[middle]) - middle
    last = first + len(places)
    others = np.flatnonzero(places != np.arange(first, last))
    if first >= 0 and last <= len(array) and len(others) <= len(places) // 8:
        result[:] = array[first:last]
        result[others] = array[places[others]]
    else:
        array.take(places, axis=0, out=result, mode="clip")
    result[places < 0] = 0
