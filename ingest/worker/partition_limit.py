"""Keep one commit from opening more folders than the spec allows: a bad clock must not explode them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from schemas.step import quarantine_schema

TOO_MANY_PARTITIONS = "too_many_partitions"


def refuse_excess(
    accepted: pa.Table,
    refused: pa.Table,
    spec: ArchiveSpec,
    suite_hash: str,
    settled: Mapping[int, int],
) -> tuple[pa.Table, pa.Table]:
    """Move the rows of the smallest partitions beyond the limit from accepted to refused.

    Rows up to the offset that `settled` has for their stream partition stay: their verdict stands.
    """
    count, stays = within_limit(accepted, spec)
    if stays.all():
        return accepted, refused
    frame = pl.DataFrame(accepted.select(["stream_partition", "stream_offset"]))
    for partition, upto in settled.items():
        rows = (frame["stream_partition"] == partition) & (frame["stream_offset"] <= upto)
        stays |= rows.to_numpy()
    excess = accepted.filter(pa.array(~stays))
    said = {
        "reasons": pa.array([[TOO_MANY_PARTITIONS]] * excess.num_rows, pa.list_(pa.string())),
        "detail": pa.repeat(excess_detail(count, spec), excess.num_rows),
        "raw": pa.nulls(excess.num_rows, pa.binary()),
        "suite_hash": pa.repeat(suite_hash, excess.num_rows),
        "date": pa.array(np.datetime_as_string(_days(excess)), pa.string()),
    }
    schema = quarantine_schema(spec)
    moved = pa.table([said.get(f.name, None) or excess[f.name] for f in schema], schema=schema)
    return accepted.filter(pa.array(stays)), pa.concat_tables([refused, moved])


def within_limit(rows: pa.Table, spec: ArchiveSpec) -> tuple[int, NDArray[np.bool_]]:
    """Count the partitions that rows would open, and say which rows are in the largest that are allowed."""
    columns = ["date", *spec.partition_by]
    frame = pl.DataFrame(rows.select(columns))
    groups = frame.group_by(columns).len()
    if groups.height <= spec.max_partitions_per_commit:
        return groups.height, np.ones(rows.num_rows, dtype=bool)
    kept = groups.sort(["len", *columns], descending=[True] + [False] * len(columns))
    kept = kept.head(spec.max_partitions_per_commit).select(columns).with_columns(kept=pl.lit(True))
    joined = frame.join(kept, on=columns, how="left", nulls_equal=True, maintain_order="left")
    return groups.height, joined["kept"].fill_null(False).to_numpy().copy()


def excess_detail(count: int, spec: ArchiveSpec) -> str:
    """Say why rows beyond the limit are refused."""
    return f"one commit would open {count} partitions; the spec allows {spec.max_partitions_per_commit}"


def _days(rows: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """Date what is refused by its ingestion: its event dates are what there are too many of."""
    return np.asarray(rows["ingested_at"].cast(pa.date32()))
