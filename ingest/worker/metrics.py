"""What a worker does, as Prometheus metrics: rows, commits, and how far it is behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingest.worker.report import IngestReport
from schemas.errors import ReplayLakeError, UsageError
from schemas.protocols import Partition

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class IngestMetrics:
    """Count what workers of this process land; `serve` shows it to a Prometheus server.

    Rates are Prometheus' business: `rate(replaylake_rows_total[1m])`.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._rows = self._counter("rows", "Rows by what became of them", "archive", "outcome")
        self._refused = self._counter("refused", "Refused rows by kind of reason", "archive", "reason")
        self._commits = self._counter("commits", "Flushes that were committed", "archive")
        self._conflicts = self._counter("conflicts", "Flushes that another worker was faster with", "archive")
        self._suites = self._counter("suites", "New suites by what became of them", "archive", "outcome")
        self._seconds = Histogram(
            "replaylake_flush_seconds",
            "Time to land a flush",
            ["archive"],
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._last = Gauge(
            "replaylake_last_commit_timestamp_seconds",
            "When the last flush was committed",
            ["archive"],
            registry=self._registry,
        )

    def landed(self, archive: str, report: IngestReport, seconds: float) -> None:
        """Count a flush that was committed."""
        for outcome in ("accepted", "quarantined", "duplicates", "flagged", "erased"):
            self._rows.labels(archive, outcome).inc(getattr(report, outcome))
        for reason, count in report.reasons.items():
            self._refused.labels(archive, reason.partition("(")[0]).inc(count)  # few kinds, many columns
        self._commits.labels(archive).inc()
        self._seconds.labels(archive).observe(seconds)
        self._last.labels(archive).set_to_current_time()

    def conflicted(self, archive: str) -> None:
        """Count a flush that has to be read again."""
        self._conflicts.labels(archive).inc()

    def suite_changed(self, archive: str, suite_hash: str) -> None:
        """Count a suite that was taken while the worker ran."""
        self._suites.labels(archive, "taken").inc()

    def suite_refused(self, archive: str, problem: str) -> None:
        """Count a suite that cannot be."""
        self._suites.labels(archive, "refused").inc()

    @contextmanager
    def following(self, lag: Callable[[], Mapping[tuple[str, Partition], int]]) -> Iterator[None]:
        """Ask for the lag at each look, as long as this is open."""
        collector = _LagCollector(lag)
        self._registry.register(collector)
        try:
            yield
        finally:
            self._registry.unregister(collector)

    @contextmanager
    def serve(self, port: int, host: str = "127.0.0.1") -> Iterator[int]:
        """Answer at /metrics as long as this is open, and give the port; 0 takes one that is free."""
        try:
            server, thread = start_http_server(port, host, self._registry)
        except OSError as exc:
            raise UsageError(
                f"The metrics cannot be served at {host}:{port}: {exc.strerror}.", hint="Take another port."
            ) from exc
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"replaylake_{name}", says, labels, registry=self._registry)


class _LagCollector(Collector):
    """Look up the lag when somebody asks."""

    def __init__(self, lag: Callable[[], Mapping[tuple[str, Partition], int]]) -> None:
        self._lag = lag

    def describe(self) -> list[Metric]:
        """Return nothing: what is described need not be asked for when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Return the lag of each partition, and whether the stream answered."""
        lag = GaugeMetricFamily(
            "replaylake_lag_messages", "Messages not landed yet", labels=["archive", "topic", "partition"]
        )
        up = GaugeMetricFamily("replaylake_stream_up", "Whether the stream answered")
        try:
            for (archive, partition), behind in self._lag().items():
                lag.add_metric([archive, partition.topic, str(partition.number)], behind)
        except ReplayLakeError:
            up.add_metric([], 0)
        else:
            up.add_metric([], 1)
        yield lag
        yield up
