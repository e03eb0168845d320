"""JSON messages from a real Kafka: the worker beside the pipeline that people write first.

That is kafka-python, `json.loads`, Great Expectations for every 1,000 rows and a pyarrow writer.
"""

from __future__ import annotations

import json
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kafka
import pandas as pd
import pyarrow as pa
import pyarrow.dataset

from ingest.streams.kafka import KafkaStream

from .cartpole_steps import SPEC
from .harness import Benchmark
from .ingest_contest import IngestContest
from .ingest_json import json_messages
from .kafka_topic import PARTITIONS, fill_topic, running_kafka

_ROWS = 2_500_000
_PLAIN_ROWS = 20_000  # as many as the plain pipeline is asked for: it is a rate that is compared
_BATCH = 1_000
_RANGES = {"reward": (-10.0, 10.0), "action": (0, 1), "step": (0, 1_000_000), "action_log_prob": (-50.0, 0.0)}


class PlainContest(IngestContest):
    """The worker as elsewhere, and the plain pipeline."""

    def __init__(self, folder: Path, servers: str) -> None:
        super().__init__(folder, _ROWS, lambda: (), lambda: KafkaStream(servers))
        self._out = folder / "plain"
        self._servers = servers
        self._validate = _validator()

    def other(self) -> float:
        """Return the rows per second of the plain pipeline."""
        consumer = kafka.KafkaConsumer(
            bootstrap_servers=self._servers, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        places = [kafka.TopicPartition(SPEC.topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        next(consumer)  # connected, and fetching
        started = time.perf_counter()
        for _ in range(_PLAIN_ROWS // _BATCH):
            rows = [json.loads(next(consumer).value) for _ in range(_BATCH)]
            if not self._validate(pd.DataFrame(rows)):
                raise RuntimeError("a good batch was refused")
            table = pa.Table.from_pylist(rows)
            name = f"{uuid.uuid4().hex}-{{i}}.parquet"
            pyarrow.dataset.write_dataset(
                table.append_column("date", pa.repeat("2026-05-28", len(rows))),
                self._out,
                format="parquet",
                partitioning=["date"],
                basename_template=name,
                existing_data_behavior="overwrite_or_ignore",
            )
        spent = time.perf_counter() - started
        consumer.close()
        return _PLAIN_ROWS / spent


def _validator() -> Callable[[pd.DataFrame], bool]:
    """Return Great Expectations with six rules, as its documentation sets it up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        rules: Any = gx.expectations
        context: Any = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        suite = gx.ExpectationSuite(name="steps")
        for column, (low, high) in _RANGES.items():
            suite.add_expectation(
                rules.ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high)
            )
        for column in ("episode_id", "reward"):
            suite.add_expectation(rules.ExpectColumnValuesToNotBeNull(column=column))
        source = context.data_sources.add_pandas("steps").add_dataframe_asset(name="steps")
        batch = source.add_batch_definition_whole_dataframe("batch")
    return lambda frame: bool(batch.get_batch({"dataframe": frame}).validate(suite).success)


@contextmanager
def _prepare(folder: Path) -> Iterator[PlainContest]:
    with running_kafka(folder) as servers:
        fill_topic(servers, _ROWS, json_messages)
        yield PlainContest(folder, servers)


BENCHMARK = Benchmark(
    name="ingest-kafka-plain",
    title="Worker: JSON messages of one step from Kafka to committed rows",
    other_name="kafka-python, json.loads, Great Expectations per 1,000 rows, pyarrow",
    unit="steps/s",
    goal=20.0,
    better="higher",
    prepare=_prepare,
)
