"""Which columns a learner reads, and the array that each becomes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Space, Tuple

_PLAIN: Mapping[str, tuple[str, float | None]] = {  # the dtype, and what stands for null
    "reward": ("float32", 0.0),  # a step without one is no transition
    "terminated": ("bool", None),
    "truncated": ("bool", None),
    "discount": ("float32", 1.0),
    "action_log_prob": ("float64", math.nan),
    "priority": ("float32", 1.0),
}
ALWAYS = ("reward", "terminated", "truncated", "discount")  # what returns are made of
KEYS = "keys"
EXTRAS = "extras"
NEXT_OBSERVATION = "next_observation"
TRANSITION = ("observation", "action", "reward", "next_observation", "terminated", "truncated", "discount")
_NUMBERS = {"bool": "bool", "int64": "int64", "float64": "float64", "timestamp": "datetime64[us]"}


@dataclass(frozen=True, slots=True)
class Leaf:
    """Describe one array: a column of the steps, or a field of one whose space is a Dict or a Tuple."""

    column: str
    path: tuple[str, ...]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    missing: float | None  # what stands for null; None where a null is refused

    @property
    def name(self) -> str:
        """The column and the fields on the way, with dots between."""
        return ".".join((self.column, *self.path))

    @property
    def size(self) -> int:
        """How many elements a row has."""
        return math.prod(self.shape)

    @property
    def width(self) -> int:
        """How many bytes a row has."""
        return self.size * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Projection:
    """Hold what is read of each step."""

    leaves: tuple[Leaf, ...]  # next_observation is not among them: it is rows of the observation
    next_observation: bool
    keys: bool

    @property
    def observation(self) -> tuple[Leaf, ...]:
        """The arrays of the observation."""
        return tuple(leaf for leaf in self.leaves if leaf.column == "observation")

    @property
    def columns(self) -> list[str]:
        """The columns of the steps that are read."""
        return list(dict.fromkeys(leaf.column for leaf in self.leaves))

    @property
    def width(self) -> int:
        """How many bytes a row has in all arrays."""
        return sum(leaf.width for leaf in self.leaves)

    @property
    def hash(self) -> str:
        """Identify the arrays: equal hashes mean arrays of equal names, dtypes and shapes."""
        held = [[leaf.name, leaf.dtype.str, leaf.shape, str(leaf.missing)] for leaf in self.leaves]
        text = json.dumps([held, self.next_observation, self.keys], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def project(spec: ArchiveSpec, columns: Sequence[str]) -> Projection:
    """Choose columns by name; `keys` are the episode's number and the step, `extras` all extra columns.

    Raise UsageError for a column that is not there, or that is no array of numbers.
    """
    known = {*_PLAIN, "observation", "next_observation", "action", "action_mask", KEYS, EXTRAS, *spec.extras}
    for name in columns:
        if name not in known:
            raise UsageError(
                f"The reader has no column {name!r}.", hint=f"There are {', '.join(sorted(known))}."
            )
    wanted = [name for name in columns if name not in (KEYS, EXTRAS)]
    if EXTRAS in columns:
        wanted += spec.extras
    if NEXT_OBSERVATION in wanted:
        wanted.insert(0, "observation")
    names = dict.fromkeys([name for name in wanted if name != NEXT_OBSERVATION] + list(ALWAYS))
    leaves = [leaf for name in names for leaf in _column(spec, name)]
    if KEYS in columns:
        leaves.append(Leaf("step", (), np.dtype(np.int64), (), -1))
    return Projection(tuple(leaves), NEXT_OBSERVATION in wanted, KEYS in columns)


def _column(spec: ArchiveSpec, name: str) -> Iterator[Leaf]:
    if name in _PLAIN:
        kind, missing = _PLAIN[name]
        yield Leaf(name, (), np.dtype(kind), (), missing)
    elif name == "action_mask":
        size = spec.action.mask_size
        if size is None:
            raise UsageError(
                f"A mask of a {spec.action.type} action has no fixed size.", hint="Read other columns."
            )
        yield Leaf(name, (), np.dtype(bool), (size,), True)
    else:
        required = name in ("observation", "action")
        yield from space_leaves(spec.spaces[name], name, required=required)


def space_leaves(space: Space, column: str, path: tuple[str, ...] = (), *, required: bool) -> Iterator[Leaf]:
    """Iterate over the arrays that a column of the space becomes; raise UsageError for texts."""
    kind: str
    shape: tuple[int, ...]
    match space:
        case Dict() | Tuple():
            for field, inner in space.fields.items():
                yield from space_leaves(inner, column, (*path, field), required=required)
            return
        case Discrete():
            kind, shape = "int64", ()
        case Box():
            kind, shape = space.dtype, space.shape
        case MultiBinary():
            kind, shape = "int8", space.shape
        case MultiDiscrete():
            kind, shape = "int64", space.shape or (len(space.nvec),)
        case Scalar(dtype=scalar) if scalar in _NUMBERS:
            kind, shape = _NUMBERS[scalar], ()
        case _:
            raise UsageError(
                f"A learner cannot read {'.'.join((column, *path))}: texts are no array of numbers.",
                hint="Leave the column out, or read it by SQL.",
            )
    dtype = np.dtype(kind)
    yield Leaf(column, path, dtype, tuple(shape), None if required or dtype.kind != "f" else math.nan)
