"""Fields of a sample: what their values are, as far as the sample shows."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["nothing", "bool", "int", "number", "text", "time", "list", "object", "mixed"]
NULL_TEXTS = ("NA", "N/A", "NULL", "null", "None", "nan", "NaN", "\\N")
_INT = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TRUTHS = frozenset({"true", "false"})


@dataclass(frozen=True, eq=False)
class Field:
    """Hold the values of one field, a value for each record; None where it is missing."""

    name: str  # as a mapping names it
    values: Sequence[Any]

    @cached_property
    def present(self) -> list[Any]:
        """The values that are not missing."""
        return [value for value in self.values if value is not None and value != ""]

    @cached_property
    def nulls(self) -> tuple[str, ...]:
        """The texts that stand for a missing number, where all others are numbers."""
        texts = {value for value in self.present if isinstance(value, str) and value in NULL_TEXTS}
        rest = [value for value in self.present if not (isinstance(value, str) and value in texts)]
        return tuple(sorted(texts)) if texts and rest and all(map(_is_number, rest)) else ()

    @cached_property
    def kind(self) -> Kind:
        """What the values are; texts that are all numbers, or true and false, count as these."""
        nulls = self.nulls
        kinds = {_kind_of(value) for value in self.present if not (isinstance(value, str) and value in nulls)}
        if kinds == {"int", "number"}:
            return "number"
        if len(kinds) == 1:
            return kinds.pop()
        if kinds and all(isinstance(value, str) for value in self.present):
            return "text"
        return "mixed" if kinds else "nothing"

    @cached_property
    def is_text(self) -> bool:
        """Say whether the values are written as text, whatever they mean."""
        return any(isinstance(value, str) for value in self.present)

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """The values as numbers, NaN where there is none; all NaN for other kinds."""
        return np.array([_number_of(value) for value in self.values], np.float64)

    @cached_property
    def categories(self) -> Counter[Any]:
        """How often each value stands; of lists and objects, nothing."""
        return Counter(value for value in self.present if isinstance(value, str | int | float | bool))

    @property
    def distinct(self) -> int:
        """The number of different values."""
        return len(self.categories)

    @property
    def is_whole(self) -> bool:
        """Say whether all values are whole numbers, also where they are written as 1.0."""
        held = self.numbers[~np.isnan(self.numbers)]
        return bool(len(held) and self.kind in ("int", "number") and (held == np.round(held)).all())

    @property
    def missing(self) -> int:
        """How many records lack it."""
        return len(self.values) - len(self.present)

    @property
    def length(self) -> int | None:
        """The length that all lists of numbers have; None where there is none."""
        if self.kind != "list":
            return None
        lengths = {len(_flat(value)) for value in self.present}
        plain = all(_is_number(one) for value in self.present for one in _flat(value))
        return lengths.pop() if len(lengths) == 1 and plain and lengths != {0} else None


def _kind_of(value: Any) -> Kind:
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() in _TRUTHS):
        return "bool"
    if isinstance(value, int) or (isinstance(value, str) and _INT.fullmatch(value)):
        return "int"
    if isinstance(value, float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        return "number"
    if isinstance(value, datetime | date):
        return "time"
    if isinstance(value, list | tuple) or _looks_like_list(value):
        return "list"
    return "object" if hasattr(value, "keys") else "text"


def _is_number(value: Any) -> bool:
    return _kind_of(value) in ("int", "number")


def _number_of(value: Any) -> float:
    try:
        return float(value) if _is_number(value) else math.nan
    except OverflowError:
        return math.nan


def _looks_like_list(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("[") and value.endswith("]")


def _flat(value: Any) -> list[Any]:
    if isinstance(value, str):
        import json

        try:
            value = json.loads(value)
        except ValueError:
            return [value]
    flat: list[Any] = []
    for one in value:
        flat.extend(_flat(one) if isinstance(one, list | tuple) else [one])
    return flat


def span(field: Field) -> str:
    """Write the range of a field's numbers."""
    held = field.numbers[~np.isnan(field.numbers)]
    return f"{held.min():.6g} to {held.max():.6g}" if len(held) else "none"


def list_numbers(field: Field) -> list[float]:
    """Return the numbers of all lists."""
    return [_number_of(one) for value in field.present for one in _flat(value)]
