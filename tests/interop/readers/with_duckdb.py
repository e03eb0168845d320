"""Read the tables' files with DuckDB alone; Delta's own library names the files."""

from __future__ import annotations

from typing import Any

import duckdb
from deltalake import DeltaTable

from tests.interop.readers.agreement import Condition, Table, main
from tests.interop.readers.buckets import bucket


def read(table: Table, options: dict[str, str], condition: Condition | None) -> list[dict[str, Any]]:
    """Return the rows, those that meet the condition where there is one."""
    files = DeltaTable(table["uri"], storage_options=options or None).file_uris()
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    if options:  # DuckDB's own way to S3 is an extension, which it would have to fetch
        connection.register_filesystem(bucket(options))
    reading = "hive_partitioning = true, hive_types_autocast = false, union_by_name = true"
    query = f"from read_parquet($files, {reading}) select {', '.join(table['columns'])}"
    parameters: dict[str, Any] = {"files": files}
    if condition is not None:
        column, sign, value = condition
        query += f" where {column} {sign} " + ("null" if value is None else "$value")
        parameters |= {} if value is None else {"value": value}
    rows: list[dict[str, Any]] = connection.sql(query, params=parameters).to_arrow_table().to_pylist()
    return rows


if __name__ == "__main__":
    main("DuckDB", duckdb.__version__, read)
