"""Every benchmark by name. Adding one is a file beside this one and a line here."""

from __future__ import annotations

from importlib import import_module

from schemas.errors import NotFoundError

from .harness import Benchmark

_MODULES = {
    "ingest-arrow": ".ingest_arrow",
    "ingest-json": ".ingest_json",
    "ingest-kafka-arrow": ".kafka_arrow",
    "ingest-kafka-json": ".kafka_json",
    "ingest-kafka-latency": ".kafka_latency",
    "ingest-kafka-plain": ".kafka_plain",
    "ingest-memory": ".ingest_memory",
    "lake-bytes-cartpole": ".lake_bytes_cartpole",
    "lake-bytes-frames": ".lake_bytes_frames",
    "lake-bytes-pendulum": ".lake_bytes_pendulum",
    "lake-open": ".lake_open",
    "lake-read": ".lake_read",
    "lake-read-wide": ".lake_read_wide",
    "lake-sql-aggregate": ".lake_sql_aggregate",
    "lake-sql-episode": ".lake_sql_episode",
    "lake-sql-transitions": ".lake_sql_transitions",
    "publish-csv": ".publish_csv",
    "publisher-overhead": ".publisher_overhead",
    "reader-memory": ".reader_memory",
    "validate-batch": ".validate_batch",
    "validate-bulk": ".validate_bulk",
    "validate-bulk-pandera": ".validate_bulk_pandera",
    "validate-bulk-pointblank": ".validate_bulk_pointblank",
    "validate-gate": ".validate_gate",
    "validate-row": ".validate_row",
}


def benchmark_names() -> list[str]:
    """Name the benchmarks there are."""
    return sorted(_MODULES)


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark; raise NotFoundError with the names there are."""
    if name not in _MODULES:
        raise NotFoundError("benchmark", name, known=_MODULES)
    found: Benchmark = import_module(_MODULES[name], __package__).BENCHMARK
    return found
