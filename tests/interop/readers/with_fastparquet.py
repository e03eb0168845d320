"""Read the tables' files with pandas and fastparquet; Delta's own library names the files.

fastparquet knows no Delta, takes a partition's value '007' for 7, and a null among numbers for NaN. So the
values of partitions are read off the paths here, and NaN and null are one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import fastparquet
import pandas as pd
from deltalake import DeltaTable
from fastparquet.converted_types import nullable

from tests.interop.readers.agreement import Condition, Table, main
from tests.interop.readers.buckets import bucket

_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


def read(table: Table, options: dict[str, str], condition: Condition | None) -> Iterator[dict[str, Any]]:
    """Iterate over the rows of every file; which files could hold what meets a condition only Delta knows."""
    store = bucket(options) if options else None
    for path in DeltaTable(table["uri"], storage_options=options or None).file_uris():
        values = _partition_values(path)
        file = fastparquet.ParquetFile(path, fs=store)
        # Whether a column has nulls it looks up at the wrong place where columns before it are structs.
        kinds = {name: nullable.get(kind, kind) for name, kind in file.dtypes.items()}
        for held in file.to_pandas(dtypes=kinds).to_dict("records"):
            yield dict.fromkeys(table["columns"]) | _nested(held) | values


def _partition_values(path: str) -> dict[str, str | None]:
    parts = [part.partition("=") for part in path.split("/") if "=" in part]
    return {name: None if value == _NULL_PARTITION else unquote(value) for name, _, value in parts}


def _nested(held: dict[str, Any]) -> dict[str, Any]:
    """Put together again what fastparquet has taken apart: `a.b` is the field b of a."""
    row: dict[str, Any] = {}
    for name, value in held.items():
        place, *path = name.split(".")
        target, last = row, place
        for step in path:
            target, last = target.setdefault(last, {}), step
        target[last] = value if isinstance(value, list) or not pd.isna(value) else None
    return {name: _whole(value) for name, value in row.items()}


def _whole(value: Any) -> Any:
    """Return None for a struct of which nothing is there."""
    if not isinstance(value, dict):
        return value
    fields = {name: _whole(held) for name, held in value.items()}
    return fields if any(held is not None for held in fields.values()) else None


def _without_nan(table: Table, column: str, value: Any) -> Any:
    return None if value == "float nan" else value


if __name__ == "__main__":
    main("pandas with fastparquet", fastparquet.__version__, read, _without_nan, asks=False)
