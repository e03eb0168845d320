"""Read the tables with Apache Spark and Delta Lake, whose jars are in the folder SPARK_JARS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyspark  # type: ignore[import-not-found]
from pyspark.sql import SparkSession  # type: ignore[import-not-found]
from pyspark.sql import functions as spark_functions
from pyspark.sql.types import TimestampType  # type: ignore[import-not-found]

from tests.interop.readers.agreement import Condition, Table, main

_JARS = sorted(Path(os.environ["SPARK_JARS"]).glob("*.jar"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def session() -> Any:
    """Start Spark in this process's own Java."""
    settings = {
        "spark.jars": ",".join(map(str, _JARS)),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "1g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def read(table: Table, options: dict[str, str], condition: Condition | None) -> Iterator[dict[str, Any]]:
    """Iterate over the rows, those that meet the condition where there is one."""
    frame = session().read.format("delta").load(table["uri"])
    if condition is not None:
        column, sign, value = condition
        held = spark_functions.col(column)
        frame = frame.where(
            held.isNull() if sign == "is" else held == value if sign == "=" else held >= value
        )
    # Python's own times do not reach as far as Spark's conversion to them goes by.
    times = {field.name for field in frame.schema.fields if isinstance(field.dataType, TimestampType)}
    shown = [
        spark_functions.unix_micros(name).alias(name) if name in times else name for name in table["columns"]
    ]
    for found in frame.select(*shown).collect():
        row = found.asDict()
        for name in times & row.keys():
            row[name] = None if row[name] is None else _EPOCH + timedelta(microseconds=row[name])
        yield row


if __name__ == "__main__":
    delta = next(jar.stem.rpartition("-")[2] for jar in _JARS if jar.name.startswith("delta-spark"))
    main("Apache Spark with Delta", f"{pyspark.__version__} with {delta}", read)
