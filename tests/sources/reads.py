"""Readings of files, as the tests compare them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ingest.records import Records
from ingest.sources.options import SourceOptions
from ingest.sources.places import LIMITS, Batch, Place, ReadLimits
from ingest.sources.reading import file_name, open_reader


@dataclass
class Read:
    """Hold all that a reading gave."""

    records: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    refused: list[tuple[bytes, str, str]] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)

    def add(self, batch: Batch[Records]) -> None:
        """Add what a batch holds."""
        fields = batch.records.fields
        if isinstance(fields, pl.DataFrame):
            fields = fields.to_dicts()
        self.records += [dict(one) for one in fields]
        self.ids += batch.records.ids.to_pylist()
        self.raw += [batch.records.raw(index) for index in range(len(batch.records))]
        self.refused += [(one.raw, one.reason, one.detail) for one in batch.records.refused]
        self.places.append(batch.end)


def read(
    path: Path | str,
    start: Place | None = None,
    *,
    partial: bool = False,
    limits: ReadLimits = LIMITS,
    **options: Any,
) -> Read:
    """Read a file from its start, or from a place."""
    done = Read()
    made = SourceOptions.model_validate(options)
    with open_reader(str(path), made, partial=partial, limits=limits) as reader:
        assert start is None or reader.resume(start)
        for batch in reader.batches(file_name(reader, made)):
            done.add(batch)
    return done


def rows_of(content: bytes, **dialect: Any) -> list[list[str]]:
    """Read a well-formed table as the standard library does."""
    text = io.StringIO(content.decode(), newline="")
    return [row for row in csv.reader(text, strict=True, **dialect) if row]
