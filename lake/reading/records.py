"""Transitions as records, each with all that a learner reads of it: what is shuffled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.reading.arrays import gathered
from lake.reading.fill import COMPLETE, EPISODE, FOLLOWS, NEXT
from lake.reading.projection import Projection
from lake.reading.sinks import Sink
from schemas.transitions import NStep, n_step_returns

_STEPS = "steps"
_RETURNED = ("reward", "discount")  # which an n-step return puts others in the place of


@dataclass(frozen=True, slots=True)
class Field:
    """Describe a field of a record: an array of the steps, or one that is derived."""

    column: str
    path: tuple[str, ...]
    source: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """The field's name in a record."""
        return ".".join((self.column, *self.path))


@dataclass(frozen=True, slots=True)
class Horizon:
    """Say how many rewards a return has, and how the future counts."""

    n: int
    gamma: float


def fields_of(projection: Projection, horizon: Horizon | None) -> tuple[Field, ...]:
    """Return the fields of a record."""
    fields = [Field(leaf.column, leaf.path, leaf.name, leaf.dtype, leaf.shape) for leaf in projection.leaves]
    if projection.next_observation:
        fields += [
            Field("next_observation", leaf.path, leaf.name, leaf.dtype, leaf.shape)
            for leaf in projection.observation
        ]
    if projection.keys:
        fields.append(Field(EPISODE, (), EPISODE, np.dtype(np.int64), ()))
    if horizon is not None:
        fields.append(Field(_STEPS, (), _STEPS, np.dtype(np.int64), ()))
    return tuple(fields)


def record_of(fields: Sequence[Field]) -> np.dtype[Any]:
    """Return the dtype of a record, which begins with the number that it is sorted by."""
    return np.dtype([("#key", np.uint64), *((field.name, field.dtype, field.shape) for field in fields)])


class Records:
    """Make records of stretches of steps that lie in order, each with a look at what comes after it."""

    def __init__(self, source: Sink, steps: int, fields: Sequence[Field], horizon: Horizon | None) -> None:
        self._source = source
        self._steps = steps
        self._fields = fields
        self._horizon = horizon
        self.dtype = record_of(fields)

    def places(self, rows: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Iterate over stretches of so many steps: where each begins, and which steps are transitions."""
        for start in range(0, self._steps, rows):
            complete = self._source.get(COMPLETE, start, min(self._steps, start + rows))
            if complete.any():
                yield start, start + np.flatnonzero(complete)

    def make(self, start: int, rows: int, chosen: NDArray[np.int64]) -> NDArray[Any]:
        """Return records of some transitions of a stretch, in the order in which they are named."""
        made = np.empty(len(chosen), self.dtype)
        ahead = 1 if self._horizon is None else self._horizon.n
        stop = min(self._steps, start + rows + ahead)
        returns = self._returns(start, stop)
        local = chosen - start
        last = local if returns is None else returns.last[local]
        following = self._source.get(NEXT, start, stop)[last] if self._has_next else None
        for field in self._fields:
            if field.column == "next_observation" and following is not None:
                made[field.name] = self._following(field, start, stop, following)
            elif returns is not None and field.column in (*_RETURNED, _STEPS):
                made[field.name] = getattr(returns, field.column)[local]
            elif returns is not None and field.column in ("terminated", "truncated"):
                made[field.name] = self._source.get(field.source, start, stop)[last]
            else:
                made[field.name] = self._source.get(field.source, start, stop)[local]
        return made

    @property
    def _has_next(self) -> bool:
        return any(field.column == "next_observation" for field in self._fields)

    def _returns(self, start: int, stop: int) -> NStep | None:
        if self._horizon is None:
            return None
        reward, terminated, follows, discount = (
            self._source.get(name, start, stop) for name in ("reward", "terminated", FOLLOWS, "discount")
        )
        return n_step_returns(reward, terminated, follows, discount, self._horizon.n, self._horizon.gamma)

    def _following(self, field: Field, start: int, stop: int, places: NDArray[np.int64]) -> NDArray[Any]:
        """Gather next observations: from the stretch and the step after it, or from beyond all steps."""
        values = self._source.get(field.source, start, min(self._steps, stop + 1))
        beyond = places >= self._steps
        local = np.where(places < 0, -1, places - start)
        if not beyond.any():
            return gathered(values, local)
        first, end = int(places[beyond].min()), int(places[beyond].max()) + 1
        result = gathered(values, np.where(beyond, -1, local))
        result[beyond] = self._source.get(field.source, first, end)[places[beyond] - first]
        return result
