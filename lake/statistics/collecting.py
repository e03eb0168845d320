"""One pass over the rows of a date: what is kept of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from lake.statistics.cache import DateCache, Form
from lake.statistics.fragments import (
    COLUMNS,
    fragments_from_bytes,
    fragments_of,
    fragments_to_bytes,
    joined_fragments,
    no_fragments,
)
from lake.statistics.leaves import Leaf
from lake.statistics.partitions import Partition
from lake.statistics.values import (
    KnownValues,
    joined_values,
    known_leaves,
    leaf_values,
    sampled_columns,
    value_columns,
    values_from_bytes,
    values_of,
    values_to_bytes,
)
from schemas.archive_spec import ArchiveSpec

_ROWS = 1 << 18  # at a time, of narrow columns
_NUMBERS = 1 << 22  # at a time
_SAMPLED_FILES = 16  # of a date
_SAMPLED_NUMBERS = 1 << 23  # pixels, of a date
_SAMPLED_ROWS = 1024  # at most, of a date
_TRIES = 8  # batches of a file that are looked through for rows of the choice
Report = Callable[[int, int], None]  # dates done, of how many
FRAGMENTS: Form[pl.DataFrame] = Form("episodes", fragments_to_bytes, fragments_from_bytes)


@dataclass(frozen=True, slots=True)
class RowChoice:
    """Say which steps are meant: of one policy, of one source, or all of them."""

    policy: str | None = None
    source: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """The columns that must hold a value."""
        named = {"policy_version": self.policy, "source": self.source}
        return {name: value for name, value in named.items() if value is not None}

    def of_rows(self, rows: pa.Table) -> pa.Table:
        """Return the rows that are meant."""
        for name, value in self.given.items():
            rows = rows.filter(pc.equal(rows[name], value))
        return rows

    def of_frame(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a frame that are meant."""
        return frame.filter(*(pl.col(name) == value for name, value in self.given.items()))

    @property
    def form(self) -> Form[KnownValues]:
        """How values of these steps are kept."""
        asked = hashlib.sha256(json.dumps(self.given, sort_keys=True).encode()).hexdigest()[:16]
        return Form(f"values-{asked}" if self.given else "values", values_to_bytes, values_from_bytes)


def date_fragments(cache: DateCache, partition: Partition) -> pl.DataFrame:
    """Return the fragments of a date's episodes, with the date."""

    def make() -> pl.DataFrame:
        parts = [fragments_of(rows) for rows in partition.batches(COLUMNS, _ROWS)]
        return joined_fragments(parts) if parts else no_fragments().drop("date")

    return cache.get(FRAGMENTS, partition, make).with_columns(pl.lit(partition.date).alias("date"))


def date_values(cache: DateCache, partition: Partition, spec: ArchiveSpec, choice: RowChoice) -> KnownValues:
    """Return what is known of the values of a date's steps."""

    def make() -> KnownValues:
        return joined_values([*_read_values(partition, spec, choice), *_sampled(partition, spec, choice)])

    return cache.get(choice.form, partition, make)


def _read_values(partition: Partition, spec: ArchiveSpec, choice: RowChoice) -> Iterator[KnownValues]:
    columns = list(dict.fromkeys([*value_columns(spec), *choice.given]))
    dimensions = sum(leaf.dimensions for leaf in known_leaves(spec) if leaf.column in columns)
    size = max(min(_ROWS, _NUMBERS // max(dimensions, 1)), 1024)
    for batch in partition.batches(columns, size):
        rows = choice.of_rows(batch)
        if rows.num_rows:
            yield values_of(rows, spec)


def _sampled(partition: Partition, spec: ArchiveSpec, choice: RowChoice) -> Iterator[KnownValues]:
    """Read some rows of columns that are too large to read whole: the first of some files."""
    columns = sampled_columns(spec)
    if not columns:
        return
    found = [leaf for leaf in known_leaves(spec) if leaf.column in columns]
    wanted = max(16, min(_SAMPLED_ROWS, _SAMPLED_NUMBERS // max(leaf.dimensions for leaf in found)))
    files = partition.files[:: -(-len(partition.files) // _SAMPLED_FILES)]
    each = -(-wanted // len(files))
    for file in files:
        read = file.log.batches(file.name, [*columns, *choice.given], each)
        lacking = each
        for _, batch in zip(range(_TRIES), read, strict=False):
            rows = choice.of_rows(batch).slice(0, lacking)
            if rows.num_rows:
                yield {leaf.name: leaf_values(leaf, rows) for leaf in found}
            lacking -= rows.num_rows
            if not lacking:
                break


def is_sampled(leaf: Leaf, spec: ArchiveSpec) -> bool:
    """Say whether only some rows of a leaf were looked at."""
    return leaf.column in sampled_columns(spec)


def collected(
    cache: DateCache,
    spec: ArchiveSpec,
    everything: Sequence[Partition],
    chosen: Sequence[Partition],
    choice: RowChoice,
    report: Report | None,
) -> tuple[pl.DataFrame, KnownValues]:
    """Return the fragments of all dates, and what is known of the values of those chosen."""
    total = len(everything) + len(chosen)
    frames, values = [], []
    for part in everything if chosen else ():
        frames.append(choice.of_frame(date_fragments(cache, part)))
        if report is not None:
            report(len(frames), total)
    for part in chosen:
        values.append(date_values(cache, part, spec, choice))
        if report is not None:
            report(len(frames) + len(values), total)
    return pl.concat(frames) if frames else no_fragments(), joined_values(values)
