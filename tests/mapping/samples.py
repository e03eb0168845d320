"""Records of all kinds, and archives for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from ingest.mapping import RecordMapping
from ingest.records import Mapped, Records
from schemas.archive_spec import ArchiveSpec

SPEC = ArchiveSpec.from_json(
    {
        "name": "web",
        "observation": {"type": "box", "shape": [2]},
        "action": {"type": "discrete", "n": 3},
        "extras": {
            "mood": {"type": "scalar", "dtype": "float64"},
            "small": {"type": "box", "shape": [1], "dtype": "int8"},
            "at": {"type": "scalar", "dtype": "timestamp"},
            "marks": {"type": "multi_binary", "shape": [3]},
        },
    }
)
# What every step needs, so that a test names only what it is about.
NEEDED: dict[str, Any] = {
    "observation": {"const": [0, 0]},
    "action": {"const": 0},
    "terminated": {"const": False},
    "truncated": {"const": False},
}


def records(fields: pl.DataFrame | Sequence[Mapping[str, Any]]) -> Records:
    """Make records of a frame or of objects."""
    length = len(fields)

    def raw(row: int) -> bytes:
        return f"record {row}".encode()

    return Records(fields, pa.array([f"id-{row}" for row in range(length)], pa.string()), raw)


def text_frame(rows: Sequence[Mapping[str, str | None]], columns: Sequence[str]) -> pl.DataFrame:
    """Make a frame as a CSV gives it: every column text."""
    return pl.DataFrame(
        [[row.get(name) for name in columns] for row in rows],
        schema=dict.fromkeys(columns, pl.String),
        orient="row",
    )


def mapping(**columns: Any) -> RecordMapping:
    """Make a mapping of these columns, with what every step needs beside them."""
    return RecordMapping.from_dict({"columns": NEEDED | columns})


def apply(fields: Any, spec: ArchiveSpec = SPEC, **columns: Any) -> Mapped:
    """Map a frame or objects by these columns."""
    return mapping(**columns).apply(records(fields), spec)


def column(fields: Any, name: str, form: Any, spec: ArchiveSpec = SPEC) -> list[Any]:
    """Return what a form makes of records, and the reason where one was refused."""
    made = apply(fields, spec, **{name: form})
    held: list[Any] = [None] * len(fields)
    for place, value in zip(made.record.tolist(), made.table[name].to_pylist(), strict=True):
        held[place] = value
    for refused in made.refused:
        held[int(refused.raw.split()[1])] = refused.reason
    return held


def details(made: Mapped) -> list[str]:
    """Return what was said of refused records."""
    return [refused.detail for refused in made.refused]


def ndjson(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Write objects as lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
