"""The draft of a proposal, on which each decision is written down with what speaks for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replaylake.flows.inferring.fields import Field
from replaylake.flows.inferring.sample import Sample
from replaylake.flows.inferring.words import named
from schemas.marked_yaml import BLANK


@dataclass(frozen=True, slots=True)
class Evidence:
    """Say why a column was proposed so."""

    column: str
    field: str  # what it is made of
    why: str

    def line(self) -> str:
        """Write it in one line."""
        return f"{self.column} ← {self.field}: {self.why}" if self.field else f"{self.column}: {self.why}"


@dataclass(slots=True)
class Draft:
    """Gather decisions. What is undecided stands as a blank, which a person fills in."""

    sample: Sample
    columns: dict[str, Any] = field(default_factory=dict)
    spaces: dict[str, Any] = field(default_factory=dict)
    timeline: dict[str, Any] | None = None
    evidence: list[Evidence] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    steps: NDArray[np.bool_] | None = None  # the records that are steps, where not all are

    def candidates(self, role: str) -> list[Field]:
        """Return the fields that are called as a role is and not used yet, the likeliest first."""
        return named(role, self.sample.fields, self.used)

    def rest(self) -> list[Field]:
        """Return the fields that are not used yet."""
        return [one for one in self.sample.fields if one.name not in self.used]

    def of_steps(self, one: Field) -> Field:
        """Return the field with the values of the records that are steps."""
        if self.steps is None:
            return one
        kept = [value for value, is_step in zip(one.values, self.steps, strict=True) if is_step]
        return Field(one.name, kept)

    def choose(self, column: str, form: Any, fields: Sequence[Field], why: str) -> None:
        """Decide a column."""
        self.columns[column] = form
        self.used |= {one.name for one in fields}
        self.evidence.append(Evidence(column, _listed(one.name for one in fields), why))

    def ask(self, column: str, question: str) -> None:
        """Leave a column to a person."""
        self.columns[column] = blank(question)
        self.undecided.append(f"{column}: {question}")


def blank(question: str) -> str:
    """Return what stands where a person is asked; a mapping that still has it does not load."""
    return f"{BLANK}: {question}>"


def _listed(names: Iterable[str]) -> str:
    held = list(names)
    return ", ".join(held) if len(held) <= 6 else f"{held[0]} to {held[-1]} ({len(held)} fields)"


def counted(count: int, of: int) -> str:
    """Write how many of how many."""
    return f"{count:,} of {of:,}"
