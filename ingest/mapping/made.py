"""Made: a column as a mapping made it, with what is missing or wrong row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.mapping.batches import Batch
from ingest.mapping.values import Mask

Why = Callable[[int], str]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Hold one value for each record. `why` says of a bad row what is wrong; nothing else asks it.

    A row that is missing has no value and none that stands for it; whether that may be, its column says.
    """

    array: pa.Array
    bad: Mask
    missing: Mask
    why: Why


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Hold a part of a vector, for each record as many numbers as the part is wide."""

    numbers: NDArray[Any]  # (N, width)
    bad: Mask
    missing: Mask
    why: Why


class Maker(Protocol):
    """Make one column of the records."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""

    def make(self, batch: Batch) -> Made:
        """Return the column; raise UsageError only for what no record can help."""


class Part(Protocol):
    """Make a part of a vector."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""

    @property
    def name(self) -> str:
        """What is read, for people."""

    @property
    def width(self) -> int | None:
        """How many numbers it gives; None for as many as are left."""

    def block(self, batch: Batch, width: int) -> Block:
        """Return the part, of this width."""


def nowhere(length: int) -> Mask:
    """Return a mask that is true nowhere."""
    return np.zeros(length, np.bool_)


def fields_of_all(makers: Sequence[Maker | Part]) -> tuple[str, ...]:
    """Return what several makers read, each field once."""
    return tuple(dict.fromkeys(field for maker in makers for field in maker.fields))
