"""Readers: where a mapping takes a value from, a field or an expression over fields."""

from __future__ import annotations

from typing import Protocol

from ingest.mapping.batches import Batch
from ingest.mapping.paths import path_of
from ingest.mapping.values import Values


class Reader(Protocol):
    """Read one value for each record."""

    @property
    def name(self) -> str:
        """What is read, for people."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are read."""

    def read(self, batch: Batch) -> Values:
        """Return the values."""


class FieldReader:
    """Read a field."""

    def __init__(self, text: str, *, optional: bool) -> None:
        self.path = path_of(text)
        self.name = f"the field {text!r}"
        self.fields = (text,)
        self._optional = optional

    def read(self, batch: Batch) -> Values:
        """Return what the field holds."""
        return batch.values(self.path, optional=self._optional)
